"""An image that holds the Python that runs this and nothing else, as an archive that every container runtime imports.

No registry is needed: `python -m tests.parity.image OUT.tar`, then `ctr images import`, `docker load` or
`kind load image-archive`.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import sys
import sysconfig
import tarfile
from pathlib import Path

from tests.parity import NAME_OF_IMAGE

LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "ensurepip", "lib2to3")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
HOME = "usr/local"


def loaded_libraries() -> list[Path]:
    """Return the shared libraries of this process, once the modules that a server needs are in it."""
    import ctypes  # noqa: F401, PLC0415
    import hashlib as _  # noqa: F401, PLC0415
    import ssl  # noqa: F401, PLC0415
    import zlib  # noqa: F401, PLC0415

    mapped = (line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines())
    paths = {Path(parts[5]) for parts in mapped if len(parts) == 6 and ".so" in parts[5]}
    stdlib = Path(sysconfig.get_path("stdlib"))
    return sorted(path for path in paths if stdlib not in path.parents and "site-packages" not in path.parts)


def names_of(library: Path) -> list[Path]:
    """Return a library's own path and the links beside it: programs ask for it by the short name."""
    links = (path for path in library.parent.iterdir() if path.is_symlink() and path.resolve() == library.resolve())
    return [library, *links]


def interpreter() -> Path:
    """Return the Python that runs this, behind all links."""
    return Path(sys.executable).resolve()


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(member.name).parts
    if any(part in LEFT_OUT or part.startswith("config-") for part in parts):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def layer() -> bytes:
    """Return the image's one layer: the interpreter, its standard library, and the libraries that both need."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.add(interpreter(), f"{HOME}/bin/{version}", filter=_wanted)
        link = tarfile.TarInfo(f"{HOME}/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, version
        archive.addfile(link)
        archive.add(sysconfig.get_path("stdlib"), f"{HOME}/lib/{version}", filter=_wanted)
        for path in loaded_libraries():
            for name in names_of(path):
                archive.add(name, str(name).lstrip("/"), filter=_wanted)
        loader = next(path for path in loaded_libraries() if path.name.startswith("ld-"))
        if platform.machine() == "x86_64":  # what executables name as their interpreter, often a link
            archive.add(loader, "lib64/ld-linux-x86-64.so.2", filter=_wanted)
        for folder in ("tmp", "history"):
            made_folder = tarfile.TarInfo(folder)
            made_folder.type, made_folder.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(made_folder)
    return made.getvalue()


def write_image(path: Path, name: str = NAME_OF_IMAGE) -> None:
    """Write the archive, in the form of `docker save`."""
    content = layer()
    digest = hashlib.sha256(content).hexdigest()
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Cmd": ["python3"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    texts = {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    with tarfile.open(path, "w") as archive:
        for file, data in (*texts.items(), ("layer.tar", content)):
            member = tarfile.TarInfo(file)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    write_image(Path(sys.argv[1]))
