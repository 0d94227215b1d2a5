"""Show the whole thing working, in one terminal: `make demo`.

Runs the commands a user would type, against a server and a directory of its own, and checks what each does.
Ends with 0 if everything was as it should be; otherwise with 1, and a word on what was not.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATEWARD = Path(sys.executable).with_name("stateward")
EXAMPLE = ROOT / "docs" / "examples" / "toggle.v4.ts"
LOG = Path("server.log")
PATIENCE = 15.0
INSTANCE = ("--machine", "example-machine", "--instance", "session-123")
OWNER = ("--auth-context", '{"sid": "session-123"}')
STRANGER = ("--auth-context", '{"sid": "session-999"}')

COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Unexpected(Exception):
    """Something was not as it should be."""


@dataclass
class Server:
    """`stateward serve` in a process of its own."""

    grpc: str = "127.0.0.1:0"
    http: str = "127.0.0.1:0"
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        words = ["serve", "--data", "./data", "--grpc", self.grpc, "--http", self.http]
        say_command("stateward", *words, "2>>", LOG.name, "&")
        with LOG.open("a") as log:
            self.process = subprocess.Popen(
                [STATEWARD, *words], stdout=subprocess.PIPE, stderr=log, text=True
            )
        lines = Lines(self.process)
        line = lines.next("the server to say that it is ready")
        say_output(line)
        ready = json.loads(line)
        self.grpc, self.http = ready["grpc"], ready["http"]

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    def stop(self, signum: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(signum)
        return self.process.wait(PATIENCE)


@dataclass
class Lines:
    """The lines that a process writes, as they come."""

    process: subprocess.Popen[str]
    _lines: queue.Queue[str | None] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def next(self, awaited: str) -> str:
        try:
            line = self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise Unexpected(f"waited {PATIENCE:.0f} s for {awaited}") from None
        if line is None:
            raise Unexpected(f"a process ended (exit code {self.process.wait()}) instead of {awaited}")
        return line

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


def stateward(*words: str, exit_code: int = 0) -> str:
    """Run a command as a user would, show it with its output, and return the output."""
    say_command("stateward", *words)
    done = subprocess.run([STATEWARD, *words], capture_output=True, text=True, timeout=60, check=False)
    say_output(done.stdout + done.stderr)
    if done.returncode != exit_code:
        raise Unexpected(f"stateward {words[0]} {words[1]} ended with {done.returncode}, not {exit_code}")
    return done.stdout + done.stderr


def expect(output: str, *pieces: str) -> None:
    squeezed = " ".join(output.split())
    for piece in pieces:
        if piece not in squeezed:
            raise Unexpected(f"{piece!r} was to be expected in the output above")


def say(text: str) -> None:
    print(f"\n{painted('36', '# ' + text)}", flush=True)


def say_command(*words: str) -> None:
    line = " ".join(word if word in ("&", "2>>") else shlex.quote(word) for word in words)
    print(painted("1", f"$ {line}"), flush=True)


def say_output(text: str, source: str = "") -> None:
    for line in text.rstrip().splitlines():
        print(f"  {source}{line}", flush=True)


def painted(colour: str, text: str) -> str:
    return f"\033[{colour}m{text}\033[0m" if COLOURS else text


def watch() -> tuple[subprocess.Popen[str], Lines]:
    words = ["instances", "watch", *INSTANCE, *OWNER, "--every-transition"]
    say_command("stateward", *words, "&")
    process = subprocess.Popen([STATEWARD, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return process, Lines(process)


def heard(updates: Lines, *pieces: str) -> None:
    line = updates.next(f"the subscription to show {' '.join(pieces)}")
    say_output(line, source="(watch) ")
    expect(line, *pieces)


def tour(server: Server) -> None:
    say("A server, with everything it keeps in one directory. It prints where it listens.")
    server.start()
    os.environ["STATEWARD_PROFILE"] = "./data/admin.json"
    say_command("export", "STATEWARD_PROFILE=./data/admin.json")

    say("A machine is a TypeScript file: an XState machine, and who may read and write its instances.")
    say_command("cp", str(EXAMPLE), "./example-machine.ts")
    expect(stateward("machines", "create", "example-machine", "--node", "./example-machine.ts"), "ver_")

    say("An instance of it. Its name is the session of the user who owns it.")
    expect(stateward("instances", "create", *INSTANCE, *OWNER), "state on", "revision 1")

    say("A second process subscribes: the state now, then every state that follows.")
    watching, updates = watch()
    try:
        heard(updates, "revision 1 on")
        follow(server, updates)
    finally:
        watching.terminate()
        watching.wait(PATIENCE)


def follow(server: Server, updates: Lines) -> None:
    say("An event. The reply comes when the transition is on disk, and so does the push.")
    toggled = stateward("instances", "send-event", *INSTANCE, *OWNER, "--event", "toggle")
    expect(toggled, "state off", "revision 2", '{"toggleCount": 1}')
    heard(updates, "revision 2 off")

    say("Somebody else's session: the machine's own allowWrite refuses.")
    refused = stateward("instances", "send-event", *INSTANCE, *STRANGER, "--event", "toggle", exit_code=1)
    expect(refused, "REJECTED_BY_MACHINE_AUTHORIZER")

    say("Pull the plug: kill the server without a warning, and start it again on the same directory.")
    say_command("kill", "-KILL", str(server.pid))
    server.stop(signal.SIGKILL)
    server.start()

    say("Nothing is lost: the same state, the same revision.")
    expect(stateward("instances", "get", *INSTANCE, *OWNER), "state off", "revision 2", '{"toggleCount": 1}')

    say("The subscription has reconnected by itself: the next event arrives there, with nothing in between.")
    expect(stateward("instances", "send-event", *INSTANCE, *OWNER, "--event", "toggle"), "state on")
    heard(updates, "revision 3 on")

    say("One linear history, across the crash.")
    history = stateward("instances", "list-transitions", *INSTANCE)
    expect(history, "xstate.init", "toggle")
    if len(history.splitlines()) != 4:
        raise Unexpected("three transitions were to be expected, and a line of headings")

    say("Stop the server in good order.")
    say_command("kill", "-TERM", str(server.pid))
    if (code := server.stop(signal.SIGTERM)) != 0:
        raise Unexpected(f"the server ended with {code}, not 0")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stateward-demo-") as scratch:
        os.chdir(scratch)
        shutil.copy(EXAMPLE, "example-machine.ts")
        server = Server()
        try:
            tour(server)
        except (Unexpected, subprocess.TimeoutExpired) as wrong:
            print(f"\ndemo: {wrong}", file=sys.stderr)
            if LOG.exists():
                print("demo: the last lines of the server's log:", file=sys.stderr)
                print("\n".join(LOG.read_text().splitlines()[-20:]), file=sys.stderr)
            return 1
        finally:
            if server.process is not None and server.process.poll() is None:
                server.stop(signal.SIGKILL)
            os.chdir(ROOT)
    print(f"\n{painted('32', f'All as it should be, in {time.monotonic() - started:.0f} s.')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
