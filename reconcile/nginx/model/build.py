"""How an nginx binary was built: the defaults of directives that are not set."""

from __future__ import annotations

import re
import shlex
from posixpath import join

from reconcile.dataclass import dataclass


@dataclass(frozen=True)
class Build:
    """The compiled-in defaults of one nginx binary; `version` is () where unknown."""

    version: tuple[int, ...] = ()
    prefix: str = "/usr/local/nginx"
    config_path: str = "/usr/local/nginx/conf/nginx.conf"
    pid_path: str = "/usr/local/nginx/logs/nginx.pid"
    error_log: str = "/usr/local/nginx/logs/error.log"
    access_log: str = "/usr/local/nginx/logs/access.log"
    user: str = "nobody"
    group: str = ""
    arguments: tuple[str, ...] = ()
    """As it was configured: `--with-http_gzip_static_module` and so on."""

    @classmethod
    def parse(cls, text: str) -> Build:
        """Parse the output of `nginx -V`; missing options get nginx's own defaults."""
        version = re.search(r"^nginx version: \S+?/(\d+(?:\.\d+)*)", text, re.MULTILINE)
        line = re.search(r"^configure arguments:(.*)$", text, re.MULTILINE)
        arguments = tuple(shlex.split(line[1])) if line else ()
        options = _options(arguments)
        prefix = options.get("prefix", cls.prefix)
        return cls(
            version=tuple(int(part) for part in version[1].split(".")) if version else (),
            prefix=prefix,
            config_path=join(prefix, options.get("conf-path", "conf/nginx.conf")),
            pid_path=join(prefix, options.get("pid-path", "logs/nginx.pid")),
            error_log=_log(prefix, options.get("error-log-path", "logs/error.log")),
            access_log=_log(prefix, options.get("http-log-path", "logs/access.log")),
            user=options.get("user", cls.user),
            group=options.get("group", options.get("user", cls.group)),
            arguments=arguments,
        )


def _options(arguments: tuple[str, ...]) -> dict[str, str]:
    pairs = (word[2:].partition("=") for word in arguments if word.startswith("--"))
    return {name: value for name, _, value in pairs}


def _log(prefix: str, path: str) -> str:
    return path if path == "stderr" else join(prefix, path)
