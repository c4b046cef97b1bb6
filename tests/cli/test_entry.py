"""How the command ends, whatever happens: an exit code, at most one line, and never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import eval.cli.app
from eval.cli.app import VERBS
from eval.cli.crash import EXIT_CODE
from eval.cli.stop_signals import Stopped

REPO = Path(__file__).parents[2]
COMMAND = f"{sys.executable} -m simpler_eval"


def shell(command: str, cwd: Path = REPO, **environment: str) -> tuple[int, str, str]:
    env = {**os.environ, "PYTHONPATH": str(REPO), **environment}
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=cwd, env=env, timeout=120, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def test_output_that_cannot_be_written_is_said():
    full = "simpler-eval: the output could not be written: No space left on device.\n"
    assert shell(f"{COMMAND} plan > /dev/full") == (1, "", full)
    code, _, err = shell(f"{COMMAND} --version >&-")
    assert (code, err.count("\n")) == (1, 1)


def test_a_library_that_the_system_lacks_is_named(tmp_path):
    """As OpenCV's build with windows on a system without any."""
    (tmp_path / "cv2.py").write_text(
        'raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")'
    )
    paths = f"{tmp_path}{os.pathsep}{REPO}"
    code, _, err = shell(f"{COMMAND} plan --task widowx_carrot_on_plate", tmp_path, PYTHONPATH=paths, TMPDIR=str(tmp_path))
    assert (code, err.count("\n")) == (2, 1)
    assert "simpler-eval: libGL.so.1, which a package needs, is not on this machine; `simpler-eval doctor` says" in err
    assert "cv2.py" in next(tmp_path.glob("simpler-eval-fault-*.txt")).read_text()


def test_a_reader_that_has_seen_enough_is_no_fault():
    code, out, err = shell(f"set -o pipefail; {COMMAND} list | head -1")
    assert (code, err) == (0, "")
    assert out.startswith("Tasks")


def test_closed_streams_are_no_files_of_the_run(tmp_path):
    (tmp_path / "probe.py").write_text(
        "import os\nfrom eval.cli.streams import own_streams\nown_streams()\n"
        "number = os.open('result.txt', os.O_CREAT | os.O_WRONLY)\nprint('a word', flush=True)\nos._exit(number)\n"
    )
    assert shell(f"{sys.executable} probe.py >&- 2>&- <&-", tmp_path)[0] > 2
    assert (tmp_path / "result.txt").read_text() == ""


def test_an_ascii_terminal_gets_its_tables():
    code, out, err = shell(f"{COMMAND} list", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")
    assert (code, err) == (0, "")
    assert out.isascii()
    assert "widowx_carrot_on_plate" in out


def test_a_deleted_working_folder_is_one_line(tmp_path):
    gone = tmp_path / "gone"
    code, _, err = shell(f"mkdir {gone}; cd {gone}; rmdir {gone}; {COMMAND} run --limit 1")
    assert (code, err) == (2, "simpler-eval: the working folder no longer exists; cd into one that does.\n")


def test_python_m_eval_is_the_command():
    assert shell(f"{sys.executable} -m eval --version") == shell(f"{COMMAND} --version")


def test_ctrl_c_is_one_quiet_line():
    for delay in (0.25, 0.5):
        child = subprocess.Popen([sys.executable, "-m", "simpler_eval", "plan", "--suite", "everything", "--json"],
                                 cwd=REPO, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
        time.sleep(delay)
        child.send_signal(signal.SIGINT)
        assert "Traceback" not in child.communicate(timeout=60)[1]
        assert child.returncode in (130, -signal.SIGINT, 0)


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt(), 130), (Stopped(signal.SIGTERM), 143)])
def test_a_verb_that_is_stopped_says_so(cli, monkeypatch, stop, code):
    def stopped(paths):
        raise stop

    monkeypatch.setattr("eval.records.merging.read_runs", stopped)
    assert cli("export", "run", "--to", "csv", "--out", "files") == (code, "", "simpler-eval: stopped.\n")


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), RecursionError(), MemoryError(), KeyError("café\udcff")])
def test_a_fault_of_the_program_is_one_line_and_a_file(cli, tmp_path, monkeypatch, error):
    def fails(arguments):
        raise error

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(eval.cli.app, "command", fails)
    code, out, err = cli("list", "--json")
    assert (code, out, err.count("\n")) == (EXIT_CODE, "", 1)
    (file,) = tmp_path.iterdir()
    assert str(file) in err
    text = file.read_text()
    assert "simpler-eval list --json" in text
    assert type(error).__name__ in text
    assert "in fails" in text


def test_a_program_that_is_ended_from_within_is_no_success(cli, monkeypatch):
    monkeypatch.setattr(eval.cli.app, "command", lambda arguments: sys.exit(0))
    code, _, err = cli("list")
    assert (code, err.count("\n")) == (1, 1)


def test_the_list_of_verbs_says_what_their_help_says(cli):
    for name, verb in VERBS.items():
        for asked in ("-h", "--help"):
            code, out, _ = cli(name, asked)
            assert code == 0
            assert verb.about in " ".join(out.split())


def test_the_home_folder_is_meant_where_the_shell_leaves_it_to_us(cli, monkeypatch, tmp_path):
    """``--out=~/mine`` reaches every program of bash and zsh as it is typed; a folder called ~ helps nobody."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for given in (["report", "~/mine"], ["run", "--resume=~/mine"]):
        code, _, err = cli(*given)
        assert code == 2
        assert f"{tmp_path}/home/mine is not a folder" in err
    code, _, err = cli("plan", "--task", "~carrot")
    assert (code, 'No task "~carrot"' in err) == (2, True)


def test_a_shell_completes_names(cli, monkeypatch):
    def completed(words: str) -> set[str]:
        done = shell(COMMAND, _SIMPLER_EVAL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))
        return set(done[1].split())

    assert completed("simpler-eval run --task widowx_c") == {"widowx_carrot_on_plate"}
    assert {"oracle", "openvla_phi3"} <= completed("simpler-eval run --policy o")
    assert completed("simpler-eval run --rt ") == {"auto", "trace", "fast", "raster"}


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (
            "threading.Thread(target=time.sleep, args=(60,), name='upload').start()",
            "waiting for a thread of the policy (upload)",
        ),
        (
            "multiprocessing.Process(target=time.sleep, args=(60,), name='loader').start()",
            "what the policy started (loader, proc",
        ),
        ("atexit.register(time.sleep, 60)", "waiting for what the policy does as the program ends"),
        ("atexit.register(lambda: os._exit(0))", None),
    ],
)
def test_what_a_policy_leaves_behind_holds_up_no_end_and_changes_no_exit_code(tmp_path, left, said):
    (tmp_path / "probe.py").write_text(
        "import atexit, multiprocessing, os, threading, time\nfrom eval.cli import ending, main\n"
        f"ending.TELL_SECONDS = ending.GRACE_SECONDS = 0.3\n{left}\nmain(['plan', '--task', 'no_such_task'])\n"
    )
    started = time.monotonic()
    code, _, err = shell(f"{sys.executable} probe.py", tmp_path)
    assert (code, time.monotonic() - started < 30) == (2, True)
    assert "Traceback" not in err
    assert err.count("\n") == (1 if said is None else 3)
    assert said is None or said in err
