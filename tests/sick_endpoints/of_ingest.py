"""Endpoints whose scrape is dropped for a line, or ends the server."""

from __future__ import annotations

from tests.sick_endpoints.disease import END, HEALTHY, SHOP, SHOP_OPENMETRICS, START, Disease, both, text

BUILD = '# HELP shop_build The program.\n# TYPE shop_build info\nshop_build_info{version="1.2"} 1\n'
"""No text: the text format has no type `info`."""
BUILD_TEXT = BUILD.replace("shop_build T", "shop_build_info T").replace("shop_build info", "shop_build_info gauge")

WITH_BUILD = both(START + SHOP + BUILD_TEXT, START + SHOP_OPENMETRICS + BUILD + END)

DISEASES = {
    "lines that end in CR LF": Disease("not-ingested", text((START + SHOP).replace("\n", "\r\n")), HEALTHY),
    "a byte order mark": Disease("not-ingested", text("\ufeff" + START + SHOP), HEALTHY),
    "an exemplar in the text format": Disease(
        "not-ingested",
        text(START + SHOP.replace("} 3\n", '} 3 # {trace_id="4bf92f3577b34da6"} 1\n')),
        both(
            START + SHOP,
            START + SHOP_OPENMETRICS.replace("} 3\n", '} 3 # {trace_id="4bf92f3577b34da6"} 1\n') + END,
        ),
    ),
    "a type of OpenMetrics in the text format": Disease(
        "not-ingested", text(START + SHOP.replace("shop_carts gauge", "shop_carts unknown")), HEALTHY
    ),
    "a blank behind the type": Disease(
        "not-ingested", text(START + SHOP.replace("shop_carts gauge", "shop_carts gauge ")), HEALTHY
    ),
    "a label without a value": Disease("not-ingested", text(START + SHOP.replace('"NL"', "")), HEALTHY),
    "a decimal comma": Disease("not-ingested", text(START + SHOP.replace("carts 2", "carts 2,5")), HEALTHY),
    "no end in OpenMetrics": Disease(
        "not-ingested", both(START + SHOP + BUILD_TEXT, START + SHOP_OPENMETRICS + BUILD), WITH_BUILD
    ),
    "data behind the end": Disease(
        "not-ingested", both(START + SHOP + BUILD_TEXT, START + SHOP_OPENMETRICS + BUILD + END + "late 1\n"), WITH_BUILD
    ),
    "a bare name in braces": Disease("server-crash", text(START + SHOP + "{a} 1\n"), HEALTHY),
    "an escape that is none": Disease(
        "not-to-the-letter",
        text(START + SHOP.replace('"NL"', r'"C:\Shop"')),
        text(START + SHOP.replace('"NL"', r'"C:\\Shop"')),
    ),
    "no line feed at the end": Disease("not-to-the-letter", text((START + SHOP).rstrip("\n")), HEALTHY),
}
