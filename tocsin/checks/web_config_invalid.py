"""A file for --web.config.file that is refused."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.folder import SourceFile
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model.prometheus_refusals import WEB, web_refusals
from tocsin.part import Part

_WEB = "tls_server_config:\n  cert_file: server.crt\n{key}"


@check(
    severity=Severity.ERROR,
    fix="Write what the reference of the web configuration allows; promtool check web-config then accepts it.",
    bad=Example({"web.yml": _WEB.format(key="")}, at="tls_server_config"),
    good=Example({"web.yml": _WEB.format(key="  key_file: server.key\n")}),
    origin="promtool",
)
def web_config_invalid(file: SourceFile) -> Iterator[Remark]:
    """Prometheus, Alertmanager and the exporters do not start with it.

    (prometheus.io/docs/prometheus/latest/configuration/https; prometheus/exporter-toolkit, web/tls_config.go.)
    """
    for document in file.documents:
        part = Part.whole(document)
        if not isinstance(part.value, dict) or not part.value or not set(part.value) <= set(WEB):
            continue
        if not isinstance(part.get("tls_server_config").value or part.get("basic_auth_users").value, dict):
            continue
        for each in web_refusals(part):
            show = at_key if each.key else at
            yield show(each.part, each.message, subject="/".join(map(str, each.part.route)))
