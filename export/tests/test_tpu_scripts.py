"""The scripts of export/tpu/ against a gcloud and a host made of paper: what they would run, and in which order."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

TPU = Path(__file__).parents[1] / "tpu"
SCRIPTS = sorted(TPU.glob("*.sh"))
BASH = shutil.which("bash")

pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")

# Keeps the words of every call in `calls`. `describe` answers with the lines of `states`, one a call, the last again
# and again. ssh and scp reach one host, the folder `host`.
GCLOUD = r"""#!/usr/bin/env bash
printf '%q ' "$@" >> "$PAPER/calls"; echo >> "$PAPER/calls"
case "$*" in
  *describe*)
    now=$(head -n 1 "$PAPER/states")
    tail -n +2 "$PAPER/states" > "$PAPER/rest"
    [[ ! -s $PAPER/rest ]] || cp "$PAPER/rest" "$PAPER/states"
    [[ $now != ABSENT ]] || { echo "NOT_FOUND: no such queued resource" >&2; exit 1; }
    [[ $now != DENIED ]] || { echo "PERMISSION_DENIED" >&2; exit 1; }
    echo "$now" ;;
  *tpu-vm\ scp*) cp "$5" "$PAPER/host/${6#*:}" ;;
  *tpu-vm\ ssh*)
    for word in "$@"; do
      [[ $word != --command=* ]] || (cd "$PAPER/host" && HOME=$PAPER/host bash -c "${word#--command=}")
    done ;;
esac
"""

# The tools of a host. A started command is a file: its words, and `unit`, its state in systemd's language.
HOST_TOOLS = {
    "sudo": 'exec "$@"',
    "systemctl": r"""
case $1 in
  show) cat "$PAPER/host/unit" 2>/dev/null || echo dead ;;
  stop) rm -f "$PAPER/host/unit" ;;
esac""",
    "systemd-run": r"""
printf '%s\n' "$@" > "$PAPER/host/started"; echo x >> "$PAPER/starts"; echo running > "$PAPER/host/unit" """,
    "mountpoint": "[[ -e $PAPER/host/mounted ]]",
    "gcsfuse": 'echo "$@" > "$PAPER/host/mounted"',
    # `python3 -m pip install --user uv`, then uv makes an environment whose python knows the version of jax.
    "python3": r"""
mkdir -p "$HOME/.local/bin"
cat > "$HOME/.local/bin/uv" <<'UV'
#!/usr/bin/env bash
echo "$@" >> "$PAPER/host/uv"
[[ $1 == venv ]] || exit 0
python=${!#}/bin/python
mkdir -p "${python%/*}"
printf '#!/bin/sh\necho 0.10.2\n' > "$python"
chmod +x "$python"
UV
chmod +x "$HOME/.local/bin/uv" """,
}


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a gcloud that is first on PATH, a host, and a slice's file."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tmp_path / "host").mkdir()
    for name, body in {"gcloud": GCLOUD, **HOST_TOOLS}.items():
        tool = tools / name
        tool.write_text(body if body.startswith("#!") else f"#!/usr/bin/env bash\n{body}\n")
        tool.chmod(0o755)
    (tmp_path / "calls").touch()
    (tmp_path / "states").write_text("ABSENT\nWAITING_FOR_RESOURCES\nACTIVE\n")
    configure(tmp_path)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PAPER", str(tmp_path))
    monkeypatch.setenv("POLL_SECONDS", "0")
    return tmp_path


def configure(paper: Path, **changes: str) -> None:
    values = {"PROJECT": "lab", "BUCKET": "gs://lab-elf", **changes}
    text = (TPU / "slice.conf").read_text()
    (paper / "slice.conf").write_text(text + "".join(f"{name}={value}\n" for name, value in values.items()))


def script(paper: Path, name: str, *words: str) -> subprocess.CompletedProcess:
    command = [str(BASH), str(TPU / f"{name}.sh"), "--slice", str(paper / "slice.conf"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def calls(paper: Path) -> list[list[str]]:
    """The words after `gcloud compute tpus` of every call so far."""
    return [shlex.split(line)[2:] for line in (paper / "calls").read_text().splitlines()]


def deeds(paper: Path) -> list[str]:
    """What was asked of queued resources, without the looking."""
    found = [words[1] for words in calls(paper) if words[0] == "queued-resources"]
    return [deed for deed in found if deed != "describe"]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(path: Path) -> None:
    subprocess.run([str(BASH), "-n", str(path)], check=True)
    if path.name != "common.sh":
        assert os.access(path, os.X_OK)
        assert "set -euo pipefail" in path.read_text()
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-x", path.name], cwd=TPU, check=True)


@pytest.mark.parametrize("name", [path.stem for path in SCRIPTS if path.stem not in ("common", "on_worker")])
def test_help_tells_the_usage(paper: Path, name: str) -> None:
    done = script(paper, name, "--help")
    assert done.returncode == 0 and f"Usage: {name}.sh" in done.stdout and "--dry-run" in done.stdout
    assert "set -euo" not in done.stdout


def test_dry_run_prints_commands_that_can_be_pasted_and_runs_none(paper: Path) -> None:
    done = script(paper, "train", "--dry-run", "owt-elf-b", "name=it's a b")
    assert done.returncode == 0, done.stderr
    assert not calls(paper)
    create, copy, unpack, setup, start = (shlex.split(line) for line in done.stdout.splitlines())
    assert create == [
        *("gcloud", "compute", "tpus", "queued-resources", "create", "elf", "--zone=us-east5-a", "--project=lab"),
        *("--node-id=elf", "--accelerator-type=v5p-64", "--runtime-version=v2-alpha-tpuv5", "--spot"),
    ]
    assert copy[:5] == ["gcloud", "compute", "tpus", "tpu-vm", "scp"] and copy[-1] == "--worker=all"
    assert "tar -xzf elf.tar.gz" in unpack[-1] and setup[-1].endswith("on_worker.sh setup")
    assert "--worker=all" in start
    assert shlex.split(start[-1].removeprefix("--command="))[1:] == [
        *("bash", "elf/export/tpu/on_worker.sh", "start", "train", "--config", "export/configs/owt-elf-b.yml"),
        *("--distributed", "auto", "out=OUTPUT/owt-elf-b", "name=it's a b"),
    ]


@pytest.mark.parametrize(("name", "words"), [("status", ()), ("stop", ()), ("delete", ()), ("logs", ("7",))])
def test_every_script_has_a_dry_run(paper: Path, name: str, words: tuple[str, ...]) -> None:
    done = script(paper, name, "--dry-run", *words)
    assert done.returncode == 0 and not calls(paper)
    assert all(line.startswith("gcloud compute tpus ") for line in done.stdout.splitlines()) and done.stdout


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("ABSENT WAITING_FOR_RESOURCES PROVISIONING ACTIVE", ["create"]),
        ("SUSPENDING SUSPENDED DELETING ABSENT ACTIVE", ["delete", "create"]),
        ("FAILED ABSENT ACTIVE", ["delete", "create"]),
        ("ACTIVE", []),
    ],
)
def test_create_asks_for_a_slice_only_when_there_is_none(paper: Path, states: str, expected: list[str]) -> None:
    (paper / "states").write_text(states.replace(" ", "\n") + "\n")
    done = script(paper, "create")
    assert done.returncode == 0, done.stderr
    assert deeds(paper) == expected
    assert "ACTIVE" in done.stderr


def test_create_does_not_take_a_refused_question_for_an_absent_slice(paper: Path) -> None:
    (paper / "states").write_text("DENIED\n")
    done = script(paper, "create")
    assert done.returncode == 2 and "PERMISSION_DENIED" in done.stderr
    assert deeds(paper) == []


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"PROVISIONING": "reserved"}, ["--reserved"]),
        ({"PROVISIONING": "on-demand"}, []),
        ({"PROVISIONING": "spot", "SERVICE_ACCOUNT": "me@lab"}, ["--spot", "--service-account=me@lab"]),
        ({"ACCELERATOR": "v5litepod-8", "RUNTIME": "x", "BUCKET": ""}, ["--spot"]),
        ({"ACCELERATOR": "v4-8", "RUNTIME": "x", "BUCKET": ""}, ["--spot"]),
    ],
)
def test_create_asks_for_what_the_file_says(paper: Path, changes: dict[str, str], flags: list[str]) -> None:
    configure(paper, **changes)
    done = script(paper, "create", "--dry-run")
    assert done.returncode == 0, done.stderr
    words = shlex.split(done.stdout)
    assert words[words.index(f"--runtime-version={changes.get('RUNTIME', 'v2-alpha-tpuv5')}") + 1 :] == flags


def test_a_training_starts_resumes_and_outlives_its_slice(paper: Path) -> None:
    train = ("train", "owt-elf-b", "flow.noise_scale=0.7", "name=a 'b' $c")
    done = script(paper, *train)
    assert done.returncode == 0, done.stderr
    host = paper / "host"
    started = (host / "started").read_text().splitlines()
    command = started.index(f"{host}/elf-env/bin/elf")
    options, words = started[:command], started[command:]
    assert words[1:] == [
        *("train", "--config", "export/configs/owt-elf-b.yml", "--distributed", "auto"),
        *(f"out={host}/elf-bucket/owt-elf-b", "flow.noise_scale=0.7", "name=a 'b' $c"),
    ]
    assert (host / "elf" / words[3]).is_file() and f"--working-directory={host}/elf" in options
    # Crashes are survived; a stop leaves time to save, and goes to the training alone.
    assert {"--unit=elf", "--property=Restart=on-failure", "--property=KillMode=mixed"} <= set(options)
    installed = (host / "uv").read_text()
    assert "--require-hashes" in installed and "jax[tpu]==0.10.2" in installed
    assert (host / "mounted").read_text().split()[-2:] == ["lab-elf", f"{host}/elf-bucket"]
    assert not (host / "elf" / "export" / ".venv").exists()

    # Again, while it runs: nothing is touched.
    (host / "elf" / "mark").touch()
    assert script(paper, *train).returncode == 0
    assert (host / "elf" / "mark").exists() and (paper / "starts").read_text().count("x") == 1

    # The slice was taken away: a new one, whose host is empty, gets the same command.
    shutil.rmtree(host)
    host.mkdir()
    (paper / "states").write_text("SUSPENDED\nABSENT\nACTIVE\n")
    assert script(paper, *train).returncode == 0
    assert deeds(paper) == ["create", "delete", "create"]
    assert (host / "started").read_text().splitlines() == started

    assert "running" in script(paper, "status").stdout
    assert script(paper, "stop").returncode == 0 and not (host / "unit").exists()
    assert "absent" in script(paper, "status").stdout


def test_keep_begins_again_until_the_training_has_ended(paper: Path) -> None:
    # systemctl is asked by setup twice and by start once in every round, then by --keep itself.
    (paper / "tools" / "systemctl").write_text(
        r"""#!/usr/bin/env bash
[[ $1 == show ]] || exit 0
head -n 1 "$PAPER/units"
tail -n +2 "$PAPER/units" > "$PAPER/rest"; mv "$PAPER/rest" "$PAPER/units"
"""
    )
    looks = ["dead dead dead", "running", "dead", "dead dead dead", "running", "exited"]
    (paper / "units").write_text("\n".join(looks).replace(" ", "\n") + "\n")
    done = script(paper, "train", "--keep", "owt-elf-b")
    assert done.returncode == 0, done.stderr
    assert "beginning again" in done.stderr and done.stderr.rstrip().endswith("the training has ended")
    assert (paper / "starts").read_text().count("x") == 2


def test_keep_gives_up_on_a_training_that_fails_again_and_again(paper: Path) -> None:
    (paper / "tools" / "systemctl").write_text("#!/usr/bin/env bash\n[[ $1 != show ]] || echo failed\n")
    done = script(paper, "train", "--keep", "owt-elf-b")
    assert done.returncode == 2 and "logs.sh" in done.stderr


def test_any_command_is_launched_and_finds_the_output_folder(paper: Path) -> None:
    configure(paper, ACCELERATOR="v4-8", BUCKET="")
    assert script(paper, "create").returncode == script(paper, "setup").returncode == 0
    done = script(paper, "launch", "evaluate", "OUTPUT/run", "--samples", "1000")
    assert done.returncode == 0, done.stderr
    host = paper / "host"
    assert (host / "started").read_text().splitlines()[-4:] == ["evaluate", f"{host}/elf-runs/run", "--samples", "1000"]
    assert not (host / "mounted").exists()


@pytest.mark.parametrize(
    ("name", "words", "changes", "message"),
    [
        ("create", (), {"PROJECT": ""}, "PROJECT is empty"),
        ("create", (), {"PROVISIONING": "cheap"}, "PROVISIONING is 'cheap'"),
        ("create", (), {"BUCKET": ""}, "v5p-64 has 8 hosts, which need a common BUCKET"),
        ("create", (), {"ACCELERATOR": "v5litepod-16", "BUCKET": ""}, "has 4 hosts"),
        ("create", (), {"ACCELERATOR": "v5p"}, "TYPE-SIZE"),
        ("create", ("now",), {}, "it takes no words"),
        ("logs", ("8",), {}, "there is no host 8; v5p-64 has 8"),
        ("train", ("owt-elf-z",), {}, "there is no export/configs/owt-elf-z.yml"),
        ("train", (), {}, "Usage: train.sh"),
        ("launch", (), {}, "Usage: launch.sh"),
    ],
)
def test_bad_input_is_refused_by_name(
    paper: Path, name: str, words: tuple[str, ...], changes: dict[str, str], message: str
) -> None:
    configure(paper, **changes)
    done = script(paper, name, *words)
    assert done.returncode == 2 and message in done.stderr
    assert not calls(paper)


def test_a_missing_slice_file_is_named(paper: Path) -> None:
    (paper / "slice.conf").unlink()
    done = script(paper, "status")
    assert done.returncode == 2 and "slice.conf" in done.stderr
