"""The Python half of the bridge: what `import cape` gives to a lambda, and what the bridge calls.

load(...) runs a lambda's file and returns the function that runs one event of it.
"""
import _imp
import importlib.machinery
import json
import os.path
import sys
import traceback
import types

OK, SKIPPED, RETRY, FAILED, BAD_INPUT, CANCELLED = 0, 1, 2, -1, -2, -5
LEVELS = {"debug": 0, "info": 1, "warning": 2, "error": 3}

# What is printed goes to the log, a line at a time.
sys.stdout = sys.stderr


class Outcome(Exception):
    """Raise one of these to say what became of the event; the text is for the person who reads it."""


class Skip(Outcome):
    """Filtered on purpose: counts as done."""


class Retry(Outcome):
    """The event runs again after a backoff."""


class Failed(Outcome):
    """The subject is parked until an operator acts."""


class BadInput(Outcome):
    """The same, counted as the event's fault."""


class Cancelled(Outcome):
    """Only after cape.cancelled() said so: runs again, no attempt is counted."""


STATUS = {Skip: SKIPPED, Retry: RETRY, Failed: FAILED, BadInput: BAD_INPUT, Cancelled: CANCELLED}


class Event:
    """One event. It is yours: nothing of it goes away when process returns."""

    __slots__ = ("domain", "subject", "sequence", "time_ns", "type", "payload", "fence", "attempt", "may_repeat",
                 "is_replay", "is_late", "inputs")

    def __init__(self, domain, subject, sequence, time_ns, kind, payload, fence, attempt, flags, inputs):
        self.domain, self.subject, self.sequence, self.time_ns = domain, subject, sequence, time_ns
        self.type, self.payload, self.fence, self.attempt = kind, payload, fence, attempt
        self.may_repeat, self.is_replay, self.is_late = bool(flags & 1), bool(flags & 2), bool(flags & 4)
        self.inputs = dict(inputs)  # the outputs of the lambdas that this one needs, by their names

    def __repr__(self):
        return f"Event({self.subject!r}, {self.sequence}, {self.type!r}, {len(self.payload)} bytes)"


def make_module(host, names, config):
    """The module that `import cape` finds, for one lambda."""
    log, heartbeat, cancelled, metric, metric_add = host
    module = types.ModuleType("cape", "What Cape gives to a lambda in Python.")
    for thing in (Outcome, Skip, Retry, Failed, BadInput, Cancelled, Event):
        setattr(module, thing.__name__, thing)
    module.domain, module.topology, module.lambda_name, module.state_dir = names
    module.config = config
    module.heartbeat, module.cancelled = heartbeat, cancelled

    def write_log(text, level="info"):
        log(LEVELS[level], str(text))

    def number(name, kind):
        handle = metric(name, kind)
        return lambda value=1: metric_add(handle, float(value))

    module.log = write_log
    module.counter = lambda name: number(name, 0)
    module.gauge = lambda name: number(name, 1)
    return module


def place_of(error, file):
    """Where in the lambda's own file, as well as it is known."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == file:
            return f" ({os.path.basename(file)}:{frame.lineno})"
    return ""


def words_of(error, file):
    try:
        text = str(error)
    except Exception:  # an exception's own __str__ may fail; its type is still worth telling
        text = "without words"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def outcome_of(error, file):
    for kind, status in STATUS.items():
        if isinstance(error, kind):
            return status, str(error)
    if isinstance(error, SystemExit):
        return FAILED, "it called exit(): raise cape.Failed or return" + place_of(error, file)
    return RETRY, words_of(error, file) + place_of(error, file)


def refuse_new_code(name):
    def refused(spec, *_):
        raise ImportError(f"{spec.name} is a library, and those are loaded before the first event alone: "
                          f"import it at the top of the lambda's file", name=spec.name)
    return refused


def loaded():
    """Nothing that can be executed may be mapped from now on: an error instead of the end of the process."""
    _imp.create_dynamic = refuse_new_code("create_dynamic")


def add_paths(path, file):
    for entry in [*path, os.path.dirname(file)]:
        if entry not in sys.path:
            sys.path.insert(0, entry)


def load(host, names, config_text):
    config = json.loads(config_text)
    file = os.path.abspath(config["file"])
    add_paths(config.get("path", []), file)
    module = make_module(host, names, config)
    sys.modules["cape"] = module
    script = types.ModuleType(os.path.splitext(os.path.basename(file))[0])
    script.__file__ = file
    try:
        with open(file, "rb") as source:
            code = compile(source.read(), file, "exec")
        exec(code, script.__dict__)
        if hasattr(script, "create"):
            script.create(config)
    except BaseException as error:
        raise RuntimeError(words_of(error, file) + place_of(error, file)) from error
    process = getattr(script, "process", None)
    if not callable(process):
        raise RuntimeError(f"{file} has no function process(event)")

    def run(*fields):
        try:
            given = process(Event(*fields))
        except BaseException as error:
            return outcome_of(error, file)
        if given is None:
            return OK, ""
        if isinstance(given, str):
            given = given.encode()
        if isinstance(given, (bytes, bytearray)):
            return OK, "", bytes(given)
        return FAILED, f"process returned a {type(given).__name__}: return None, bytes or str"

    return run
