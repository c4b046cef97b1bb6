"""Where the command begins and ends: whatever happens in between becomes an exit code and at most one line.

Nothing heavy is imported here, so that Ctrl-C and a broken installation are answered like anything else.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Sequence

from eval.cli.ending import Ending
from eval.cli.stop_signals import Interrupted
from eval.cli.streams import Output, own_streams
from eval.errors import UserError

FAILED, UNUSABLE, BROKEN, STOPPED = 1, 2, 70, 130
LONGEST_WORD = 400
"""Of a line on stderr; a path may be long."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code.

    0 fine, 1 a check or an episode failed or the output was lost, 2 unusable input, 70 a fault of the program, 130 stopped.
    """
    own_streams()
    code = _answer([*(sys.argv[1:] if arguments is None else arguments)])
    code = _finished(code)
    Ending(code).begin()
    sys.exit(code)


def _answer(given: list[str]) -> int:
    """The exit code of the command; what went wrong is said."""
    try:
        refuse_unusable(given)
        given = [with_home(text) for text in given]
        from eval.cli.app import command

        answer = command(given)
        return answer if isinstance(answer, int) else 0
    except UserError as error:
        return _complain(str(error), UNUSABLE)
    except KeyboardInterrupt:
        return _complain("stopped.", STOPPED)
    except Interrupted as stop:
        return _complain("stopped.", stop.code)
    except SystemExit as error:
        if "_SIMPLER_EVAL_COMPLETE" in os.environ or any(text.endswith("-completion") for text in given):
            raise  # of typer, which answers the shell
        return _complain(f"something ended the program from within (SystemExit: {error.code}).", FAILED)
    except Exception as error:
        if is_about_usage(error):
            return _usage(error, given)
        if "_SIMPLER_EVAL_COMPLETE" in os.environ:
            return _complain("the shell asked for a completion without its words; write simpler-eval anew.", FAILED)
        if type(error).__name__ == "Abort":  # typer's word for Ctrl-C
            return _complain("stopped.", STOPPED)
        if not _has_working_folder():
            return _complain("the working folder no longer exists; cd into one that does.", UNUSABLE)
        try:
            from eval.cli import crash

            code = UNUSABLE if crash.is_of_the_machine(error) else crash.EXIT_CODE
            return _complain(crash.report(error, given), code)
        except Exception:  # a policy left nothing to work with: no files, no modules, no `open`
            return _complain(f"unexpected fault, {type(error).__name__}: {str(error)[:300]}.", BROKEN)


def refuse_unusable(given: Sequence[str]) -> None:
    """Raises UserError for an argument without content, which would pass for none, or one that cannot be recorded."""
    if len(given) > 1 and "--install-completion" in given[:1]:
        raise UserError("--install-completion stands alone; it serves the shell that it is called in.")
    for before, text in zip(["", *given], given, strict=False):
        if re.match(r"[\u2013\u2014]\w", text):
            plain = "--" + text[1:].partition("=")[0]
            raise UserError(f"{text[:40]} begins with a long dash; an option begins with two short ones: {plain[:40]}")
        option = re.fullmatch(r"(--[\w-]+)=\s*", text)
        if option or not text.strip():
            name = option[1] if option else before if re.fullmatch(r"--[\w-]+", before) else "an argument"
            raise UserError(f"{name} is empty; give it a value, or leave it out.")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UserError(f"{text!a} is no UTF-8 text, and nothing else can be recorded; use another name.") from None


def with_home(text: str) -> str:
    """A word of the command line with the user's folder for ``~``, which a shell leaves in ``--out=~/mine`` and in quotes."""
    option, is_option, value = text.partition("=") if text.startswith("--") else ("", "", text)
    return f"{option}{is_option}{os.path.expanduser(value)}" if value == "~" or value.startswith("~/") else text


def is_about_usage(error: BaseException) -> bool:
    """Whether the command line does not fit; typer carries its own copy of click in some versions, so its name decides."""
    return any(base.__name__ == "ClickException" for base in type(error).__mro__)


def _usage(error: Exception, given: Sequence[str]) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())  # type: ignore[attr-defined]
        return UNUSABLE
    from eval.cli.usage import usage_line

    return _complain(usage_line(error, given), UNUSABLE)


def _has_working_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _shortened(word: str) -> str:
    """What somebody pasted by mistake fills no screen."""
    return word if len(word) <= LONGEST_WORD else f"{word[:100]}...{word[-20:]} ({len(word)} characters)"


def _complain(text: str, code: int) -> int:
    words = " ".join(map(_shortened, text.split()))
    line = "simpler-eval: " + "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in words)
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError, TypeError, AttributeError):  # somebody's code closed it, or took `print` away
        with contextlib.suppress(OSError):
            os.write(2, f"{line}\n".encode(errors="backslashreplace"))
    return code


def _finished(code: int) -> int:
    """The exit code, once it is known whether all output arrived."""
    stdout = sys.stdout
    if isinstance(stdout, Output):
        stdout.flush()
        if stdout.lost is not None and not isinstance(stdout.lost, BrokenPipeError):  # `| head` has seen enough
            _complain(f"the output could not be written: {stdout.lost.strerror}.", code)
            return code or FAILED
    return code
