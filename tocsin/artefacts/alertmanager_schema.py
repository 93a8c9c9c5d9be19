"""The fields of an Alertmanager configuration, of every version up to 0.34, and what each holds.

A kind is `string`, `bool`, `int`, `url`, `duration` (Prometheus's, `5m`), `go-duration` (Go's, `1m30s` or `1.5h`),
`strings`, `map` (of texts), `mapping` (of anything), `any`, `address` (host:port), the name of a section here, or a
section's name in brackets for a list of them.
(config/config.go, config/notifiers.go; prometheus/common, config/http_config.go.)
"""

from __future__ import annotations

from collections.abc import Mapping

Section = Mapping[str, str]


def _section(strings: str = "", **kinds: str) -> Section:
    """Return a section: the names of fields that hold strings, and the kinds of the others."""
    return {**dict.fromkeys(strings.split(), "string"), **kinds}


def _notifier(strings: str = "", **kinds: str) -> Section:
    """Return the section of an integration, with what all of them have."""
    return _section(strings, send_resolved="bool", http_config="http", **kinds)


_MATCHES = {"match": "map", "match_re": "map", "matchers": "strings"}

INTEGRATIONS = (
    *("discord", "email", "incidentio", "pagerduty", "slack", "webhook", "opsgenie", "wechat", "pushover", "victorops"),
    *("sns", "telegram", "webex", "msteams", "msteamsv2", "jira", "rocketchat", "mattermost", "jsm", "jsmops"),
    "signl4",
)
"""What a receiver can tell."""

SECTIONS: Mapping[str, Section] = {
    "config": {
        "global": "global",
        "route": "route",
        "inhibit_rules": "[inhibit]",
        "receivers": "[receiver]",
        "templates": "strings",
        "mute_time_intervals": "[interval]",
        "time_intervals": "[interval]",
        "tracing": "any",
        "event_recorder": "any",
    },
    "global": _section(
        "smtp_from smtp_hello smtp_auth_username smtp_auth_password smtp_auth_password_file smtp_auth_secret"
        " smtp_auth_secret_file smtp_auth_identity slack_api_url_file slack_app_token slack_app_token_file"
        " opsgenie_api_key opsgenie_api_key_file wechat_api_secret wechat_api_secret_file wechat_api_corp_id"
        " victorops_api_key victorops_api_key_file telegram_bot_token telegram_bot_token_file rocketchat_token"
        " rocketchat_token_file rocketchat_token_id rocketchat_token_id_file mattermost_webhook_url_file"
        " jsm_api_key jsm_api_key_file signl4_team_secret signl4_team_secret_file",
        resolve_timeout="duration",
        http_config="http",
        smtp_smarthost="address",
        smtp_require_tls="bool",
        smtp_tls_config="tls",
        smtp_force_implicit_tls="bool",
        jira_api_url="url",
        jsm_api_url="url",
        jsmops_api_url="url",
        slack_api_url="url",
        slack_app_url="url",
        pagerduty_url="url",
        opsgenie_api_url="url",
        wechat_api_url="url",
        victorops_api_url="url",
        telegram_api_url="url",
        webex_api_url="url",
        rocketchat_api_url="url",
        mattermost_webhook_url="url",
    ),
    "route": {
        "receiver": "string",
        "group_by": "strings",
        **_MATCHES,
        "mute_time_intervals": "strings",
        "active_time_intervals": "strings",
        "continue": "bool",
        "routes": "[route]",
        "group_wait": "duration",
        "group_interval": "duration",
        "repeat_interval": "duration",
        "labels": "map",
    },
    "inhibit": {
        "name": "string",
        **{f"{side}_{key}": kind for side in ("source", "target") for key, kind in _MATCHES.items()},
        "equal": "strings",
        "sources": "any",
    },
    "interval": {"name": "string", "time_intervals": "[times]"},
    "times": {
        "times": "[time]",
        "weekdays": "strings",
        "days_of_month": "strings",
        "months": "strings",
        "years": "strings",
        "location": "string",
    },
    "time": _section("start_time end_time"),
    "receiver": {
        "name": "string",
        **{f"{kind}_configs": f"[{kind}]" for kind in INTEGRATIONS},
    },
    "discord": _notifier("webhook_url_file content title message username avatar_url", webhook_url="url"),
    "email": _section(
        "to from hello auth_username auth_password auth_password_file auth_secret auth_secret_file auth_identity html"
        " text",
        send_resolved="bool",
        smarthost="address",
        headers="map",
        require_tls="bool",
        tls_config="tls",
        force_implicit_tls="bool",
        threading="threading",
    ),
    "threading": _section("thread_by_date", enabled="bool"),
    "incidentio": _notifier(
        "url_file alert_source_token alert_source_token_file title description",
        url="url",
        max_alerts="int",
        timeout="go-duration",
        metadata="map",
    ),
    "pagerduty": _notifier(
        "service_key service_key_file routing_key routing_key_file client client_url description source severity class"
        " component group",
        url="url",
        details="mapping",
        images="[image]",
        links="[link]",
        timeout="go-duration",
    ),
    "image": _section("src alt href"),
    "link": _section("href text"),
    "slack": _notifier(
        "api_url_file app_token app_token_file channel username color title title_link pretext text message_text footer"
        " fallback callback_id icon_emoji icon_url image_url thumb_url",
        api_url="url",
        app_url="url",
        fields="[field]",
        short_fields="bool",
        link_names="bool",
        mrkdwn_in="strings",
        actions="[action]",
        update_message="bool",
        edit_messages="bool",
        timeout="go-duration",
        message_strategy="any",
        thread_message="any",
        thread_replies="any",
        post_updates_to_thread="any",
        update_strategy="any",
        threading="any",
    ),
    "field": _section("title value", short="bool"),
    "action": _section("type text url style name value", confirm="confirm"),
    "confirm": _section("text title ok_text dismiss_text"),
    "webhook": _notifier("url_file", url="url", max_alerts="int", timeout="go-duration", payload="any"),
    "opsgenie": _notifier(
        "api_key api_key_file message description source entity actions tags note priority",
        api_url="url",
        details="map",
        responders="[responder]",
        update_alerts="bool",
    ),
    "responder": _section("id name username type"),
    "wechat": _notifier(
        "api_secret api_secret_file corp_id message to_user to_party to_tag agent_id message_type", api_url="url"
    ),
    "pushover": _notifier(
        "user_key user_key_file token token_file title message url url_title device sound priority",
        retry="go-duration",
        expire="go-duration",
        ttl="go-duration",
        html="bool",
        monospace="bool",
    ),
    "victorops": _notifier(
        "api_key api_key_file routing_key message_type state_message entity_display_name monitoring_tool",
        api_url="url",
        custom_fields="map",
    ),
    "sns": _notifier(
        "api_url topic_arn phone_number target_arn subject message",
        sigv4="sigv4",
        attributes="map",
        use_aws_http_client="bool",
    ),
    "sigv4": _section(
        "region access_key secret_key profile role_arn external_id service_name", use_fips_sts_endpoint="bool"
    ),
    "telegram": _notifier(
        "bot_token bot_token_file chat_id_file message parse_mode",
        api_url="url",
        chat_id="int",
        message_thread_id="int",
        disable_notifications="bool",
    ),
    "webex": _notifier("message room_id", api_url="url"),
    "msteams": _notifier("webhook_url_file title summary text", webhook_url="url"),
    "msteamsv2": _notifier("webhook_url_file title text", webhook_url="url"),
    "jira": _notifier(
        "project priority issue_type api_type reopen_transition resolve_transition wont_fix_resolution",
        api_url="url",
        summary="any",
        description="any",
        labels="strings",
        reopen_duration="duration",
        fields="any",
        custom_fields="any",
    ),
    "rocketchat": _notifier(
        "token_id token_id_file token token_file channel color title title_link text emoji icon_url image_url"
        " thumb_url",
        api_url="url",
        fields="any",
        short_fields="bool",
        link_names="bool",
        actions="any",
    ),
    "mattermost": _notifier(
        "webhook_url_file channel username text fallback color pretext author_name author_link author_icon title"
        " title_link thumb_url footer footer_icon image_url icon_url icon_emoji type",
        webhook_url="url",
        fields="any",
        attachments="any",
        props="any",
        priority="any",
    ),
    "http": _section(
        "bearer_token bearer_token_file proxy_url no_proxy",
        basic_auth="basic",
        authorization="authorization",
        oauth2="oauth2",
        tls_config="tls",
        follow_redirects="bool",
        enable_http2="bool",
        proxy_from_environment="bool",
        proxy_connect_header="any",
        http_headers="any",
    ),
    "basic": _section("username username_file username_ref password password_file password_ref"),
    "authorization": _section("type credentials credentials_file credentials_ref"),
    "oauth2": _section(
        "client_id client_secret client_secret_file client_secret_ref token_url proxy_url no_proxy grant_type"
        " client_certificate_key client_certificate_key_file client_certificate_key_id signature_algorithm iss"
        " audience",
        claims="any",
        scopes="strings",
        endpoint_params="map",
        tls_config="tls",
        proxy_from_environment="bool",
        proxy_connect_header="any",
    ),
    "tls": _section(
        "ca cert key ca_file cert_file key_file ca_ref cert_ref key_ref server_name min_version max_version",
        insecure_skip_verify="bool",
    ),
}
"""Each section's fields."""

UNKNOWN = frozenset({"jsm", "jsmops", "signl4"})
"""Integrations that are too new for all of their fields to be known."""
ALTERNATIVES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "global": (
        ("slack_api_url", "slack_api_url_file"),
        ("slack_app_token", "slack_app_token_file"),
        ("opsgenie_api_key", "opsgenie_api_key_file"),
        ("victorops_api_key", "victorops_api_key_file"),
        ("smtp_auth_password", "smtp_auth_password_file"),
        ("smtp_auth_secret", "smtp_auth_secret_file"),
        ("rocketchat_token", "rocketchat_token_file"),
        ("rocketchat_token_id", "rocketchat_token_id_file"),
        ("telegram_bot_token", "telegram_bot_token_file"),
        ("wechat_api_secret", "wechat_api_secret_file"),
        ("mattermost_webhook_url", "mattermost_webhook_url_file"),
    ),
    "slack": (("api_url", "api_url_file"), ("app_token", "app_token_file")),
    "pagerduty": (("routing_key", "routing_key_file"), ("service_key", "service_key_file")),
    "webhook": (("url", "url_file"),),
    "incidentio": (("url", "url_file"), ("alert_source_token", "alert_source_token_file")),
    "opsgenie": (("api_key", "api_key_file"),),
    "victorops": (("api_key", "api_key_file"),),
    "pushover": (("user_key", "user_key_file"), ("token", "token_file"), ("html", "monospace")),
    "discord": (("webhook_url", "webhook_url_file"),),
    "msteams": (("webhook_url", "webhook_url_file"),),
    "msteamsv2": (("webhook_url", "webhook_url_file"),),
    "telegram": (("bot_token", "bot_token_file"),),
    "rocketchat": (("token", "token_file"), ("token_id", "token_id_file")),
    "wechat": (("api_secret", "api_secret_file"),),
    "http": (
        ("bearer_token", "bearer_token_file"),
        ("basic_auth", "oauth2", "bearer_token", "bearer_token_file", "authorization"),
    ),
    "basic": (("username", "username_file", "username_ref"), ("password", "password_file", "password_ref")),
    "authorization": (("credentials", "credentials_file", "credentials_ref"),),
    "oauth2": (("client_secret", "client_secret_file", "client_secret_ref"),),
}
"""Fields of which at most one may be given."""

Need = tuple[tuple[str, ...], tuple[str, ...]]
NEEDED: Mapping[str, tuple[Need, ...]] = {
    "interval": ((("name",), ()),),
    "receiver": ((("name",), ()),),
    "email": (
        (("to",), ()),
        (("smarthost",), ("smtp_smarthost",)),
        (("from",), ("smtp_from",)),
    ),
    "slack": (
        (
            ("api_url", "api_url_file", "app_token", "app_token_file"),
            ("slack_api_url", "slack_api_url_file", "slack_app_token", "slack_app_token_file"),
        ),
    ),
    "field": ((("title",), ()), (("value",), ())),
    "action": ((("type",), ()), (("text",), ()), (("url", "name"), ())),
    "confirm": ((("text",), ()),),
    "pagerduty": ((("routing_key", "service_key", "routing_key_file", "service_key_file"), ()),),
    "webhook": ((("url", "url_file"), ()),),
    "incidentio": ((("url", "url_file"), ()),),
    "opsgenie": ((("api_key", "api_key_file"), ("opsgenie_api_key", "opsgenie_api_key_file")),),
    "responder": ((("id", "username", "name"), ()),),
    "victorops": (
        (("routing_key",), ()),
        (("api_key", "api_key_file"), ("victorops_api_key", "victorops_api_key_file")),
    ),
    "wechat": (
        (("api_secret", "api_secret_file"), ("wechat_api_secret", "wechat_api_secret_file")),
        (("corp_id",), ("wechat_api_corp_id",)),
    ),
    "pushover": ((("user_key", "user_key_file"), ()), (("token", "token_file"), ())),
    "telegram": (
        (("bot_token", "bot_token_file"), ("telegram_bot_token", "telegram_bot_token_file")),
        (("chat_id", "chat_id_file"), ()),
    ),
    "webex": ((("room_id",), ()),),
    "discord": ((("webhook_url", "webhook_url_file"), ()),),
    "msteams": ((("webhook_url", "webhook_url_file"), ()),),
    "msteamsv2": ((("webhook_url", "webhook_url_file"), ()),),
    "jira": ((("project",), ()), (("issue_type",), ()), (("api_url",), ("jira_api_url",))),
    "rocketchat": (
        (("token", "token_file"), ("rocketchat_token", "rocketchat_token_file")),
        (("token_id", "token_id_file"), ("rocketchat_token_id", "rocketchat_token_id_file")),
    ),
    "mattermost": ((("webhook_url", "webhook_url_file"), ("mattermost_webhook_url", "mattermost_webhook_url_file")),),
    "oauth2": ((("client_id",), ()), (("token_url",), ())),
}
"""Fields of which one must be given: in the section itself, or those of `global` that stand in for it."""

CHOICES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("telegram", "parse_mode"): ("", "Markdown", "MarkdownV2", "HTML"),
    ("wechat", "message_type"): ("", "text", "markdown"),
    ("tls", "min_version"): ("TLS10", "TLS11", "TLS12", "TLS13"),
    ("tls", "max_version"): ("TLS10", "TLS11", "TLS12", "TLS13"),
}
"""Fields that hold one of a few words."""
