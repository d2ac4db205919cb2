// Lambdas in Python over the bridge that ships, with the machine's own Python, in the real sandbox.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/child/lambda_child_fixture.hpp"
#include "tests/fakes/temp_dir.hpp"

namespace cape::child {
namespace {

constexpr char library_dir[] = CAPE_PYTHON_LIBRARY_DIR, standard_library[] = CAPE_PYTHON_STANDARD_LIBRARY;

class PythonLambda : public LambdaChildTest {
 protected:
  // The child runs as the owner of the script's directory, which others may enter for the sake of hosts that
  // are not root.
  void start_script(const std::string& text, const std::string& more_config = "") {
    ::chmod(dir_.path().c_str(), 0755);
    std::ofstream(dir_ / "guest.py") << text;
    ChildSpec spec = spec_of("python", ChildKind::lambda);
    spec.config_json = R"({"file":")" + (dir_ / "guest.py").string() + "\"" + more_config + "}";
    spec.grant.read = {dir_.path()};
    spec.grant.code = {library_dir, standard_library};
    spec.start_timeout_ms = patience_ms;
    start(spec);
  }
  wire::JobStatus next(wire::RunJob job) {
    job.outputs_bytes_max = 1 << 20;
    give(job);
    const auto done = wait_done(1);
    return done.empty() ? wire::JobStatus{} : done.front().status;
  }
  wire::JobStatus run_event(const std::string& payload) { return next(job_of(++jobs_, "s", {payload})); }
  std::string output_of(const wire::JobStatus& status) {
    return status.outputs.size() == 1 && status.outputs[0] ? *status.outputs[0]
                                                           : "no output: " + status.end.reason;
  }

  test::TempDir dir_;
  JobId jobs_ = 0;
};

TEST_F(PythonLambda, GetsTheWholeEventAndGivesAnOutput) {
  start_script(R"py(
import cape

def process(event):
    return (f"{event.domain} {cape.topology} {cape.lambda_name} {event.subject} {event.sequence} {event.time_ns} "
            f"{event.type} {event.payload!r} {event.attempt} {event.may_repeat} {event.fence > 0} {event.inputs}")
)py");

  EXPECT_EQ(output_of(run_event("pay")), "history audit write s 1 1000 type b'pay' 0 False True {}");
}

TEST_F(PythonLambda, BytesTextAndNothingAreOutcomes) {
  start_script(R"py(
def process(event):
    return {b"bytes": b"\x00\xff", b"text": "\u00e4", b"nothing": None, b"number": 5}[event.payload]
)py");

  EXPECT_EQ(output_of(run_event("bytes")), std::string("\0\xff", 2));
  EXPECT_EQ(output_of(run_event("text")), "\xc3\xa4");
  EXPECT_EQ(run_event("nothing").end.kind, OutcomeKind::ok);
  const wire::JobStatus number = run_event("number");
  EXPECT_EQ(number.end.kind, OutcomeKind::failed);
  EXPECT_THAT(number.end.reason, HasSubstr("process returned a int: return None, bytes or str"));
}

TEST_F(PythonLambda, ExceptionsAreOutcomesWithTheirTextAndPlace) {
  start_script(R"py(
import cape

def process(event):
    if event.payload == b"value":
        raise ValueError("no good")
    if event.payload == b"exit":
        raise SystemExit(3)
    raise {b"skip": cape.Skip, b"retry": cape.Retry, b"failed": cape.Failed, b"bad": cape.BadInput}[event.payload]("because")
)py");

  const wire::JobStatus value = run_event("value");
  EXPECT_EQ(value.end.kind, OutcomeKind::retry);
  EXPECT_EQ(value.end.reason, "ValueError: no good (guest.py:6)");
  EXPECT_THAT(run_event("unknown").end.reason, HasSubstr("KeyError: b'unknown' (guest.py:9)"));
  EXPECT_EQ(run_event("exit").end.kind, OutcomeKind::failed) << "and the process goes on";
  EXPECT_EQ(run_event("skip").end.kind, OutcomeKind::ok);
  EXPECT_EQ(run_event("retry").end.kind, OutcomeKind::retry);
  EXPECT_EQ(run_event("bad").end.kind, OutcomeKind::bad_input);
  const wire::JobStatus failed = run_event("failed");
  EXPECT_EQ(failed.end.kind, OutcomeKind::failed);
  EXPECT_EQ(failed.end.reason, "because");
}

TEST_F(PythonLambda, KeepsWhatItKnowsBetweenEventsAndReadsItsConfig) {
  start_script(R"py(
import cape
seen = []

def create(config):
    seen.append(config["greeting"])

def process(event):
    seen.append(event.payload.decode())
    return f"{' '.join(seen)} {cape.config['deep']['list']}"
)py",
               R"(,"greeting":"hello","deep":{"list":[1,2]})");

  EXPECT_EQ(output_of(run_event("a")), "hello a [1, 2]");
  EXPECT_EQ(output_of(run_event("b")), "hello a b [1, 2]");
}

TEST_F(PythonLambda, LogsPrintsAndCounts) {
  start_script(R"py(
import cape
runs, level = cape.counter("runs"), cape.gauge("level")

def process(event):
    runs(); runs(2); level(-1.5)
    cape.log("to the log", "warning")
    cape.heartbeat()
    return str(cape.cancelled())
)py");
  wire::RunJob job = job_of(1, "s", {"x"});
  job.outputs_bytes_max = 1 << 20;
  give(job);

  const auto reports = poll_until<LambdaReport>(*child_, at_least<ChildJobDone, LambdaReport>(1));

  EXPECT_EQ(output_of(pick<ChildJobDone>(reports).at(0).status), "False");
  const auto lines = pick<ChildLog>(reports);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].text, "to the log");
  EXPECT_EQ(lines[0].severity, 2);
  const auto metrics = child_->metrics();
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_EQ(metrics[0].value + metrics[1].value, 3 - 1.5);
}

TEST_F(PythonLambda, GetsWhatAnotherLambdaGave) {
  start_script("def process(event):\n    return event.inputs['words'] + b'!'\n");
  wire::RunJob job = job_of(1, "s", {"x"});
  job.inputs = {{.lambda = "words", .outputs = {std::make_shared<const std::string>("given")}}};

  EXPECT_EQ(output_of(next(job)), "given!");
}

TEST_F(PythonLambda, UsesTheStandardLibraryWithItsCompiledModules) {
  start_script(R"py(
import collections, datetime, decimal, hashlib, json, re, sqlite3, struct, threading, zlib

def process(event):
    db = sqlite3.connect(":memory:")
    db.execute("create table t(n)")
    db.execute("insert into t values (7)")
    out = []
    thread = threading.Thread(target=lambda: out.append(1))
    thread.start()
    thread.join()
    return json.dumps([db.execute("select n from t").fetchone()[0], str(decimal.Decimal(1) / 8),
                       hashlib.sha256(b"").hexdigest()[:8], zlib.decompress(zlib.compress(b"z")).decode(),
                       re.sub("a+", "b", "caat"), datetime.date(2024, 2, 29).isoformat(), out])
)py");

  EXPECT_EQ(output_of(run_event("x")), R"([7, "0.125", "e3b0c442", "z", "cbt", "2024-02-29", [1]])");
}

TEST_F(PythonLambda, LateImportOfACompiledModuleIsAnErrorThatSaysWhere) {
  start_script(R"py(
def process(event):
    if event.payload == b"pure":
        import textwrap
        return textwrap.shorten("late but pure", 100)
    import _sqlite3
)py");

  EXPECT_EQ(output_of(run_event("pure")), "late but pure");
  const wire::JobStatus late = run_event("compiled");
  EXPECT_EQ(late.end.kind, OutcomeKind::retry);
  EXPECT_THAT(late.end.reason, HasSubstr("import it at the top of the lambda's file"));
}

TEST_F(PythonLambda, CannotLeaveTheSandbox) {
  start_script(R"py(
import os, socket

def process(event):
    if event.payload == b"files":
        found = []
        for path in ("/etc/passwd", "/proc/self/maps", "/root"):
            try:
                os.stat(path)
                found.append(path)
            except OSError:
                pass
        try:
            open(__file__, "a")
        except OSError as error:
            found.append(type(error).__name__)
        return repr(found)
    socket.socket()
)py");

  EXPECT_THAT(output_of(run_event("files")), testing::AnyOf("['OSError']", "['PermissionError']"));
  give(job_of(9, "s", {"socket"}));
  EXPECT_EQ(wait_end().end.kind, OutcomeKind::violation);
}

struct Unloadable {
  const char *name, *text, *reason;
};
class PythonScript : public PythonLambda, public testing::WithParamInterface<Unloadable> {};

TEST_P(PythonScript, ThatCannotRunIsToldWithItsPlace) {
  start_script(GetParam().text);

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.end.kind, OutcomeKind::setup);
  EXPECT_THAT(ended.end.reason, HasSubstr(GetParam().reason));
}
INSTANTIATE_TEST_SUITE_P(
    Languages, PythonScript,
    testing::Values(Unloadable{"Syntax", "def process(event:\n  pass\n",
                               "SyntaxError: '(' was never closed (guest.py, line 1)"},
                    Unloadable{"Raises", "x = 1\nraise KeyError('here')\n", "KeyError: 'here' (guest.py:2)"},
                    Unloadable{"NoProcess", "x = 1\n", "guest.py has no function process(event)"},
                    Unloadable{"NoModule", "import nowhere\n", "No module named 'nowhere' (guest.py:1)"},
                    Unloadable{"Exits", "raise SystemExit\n", "SystemExit"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST_F(PythonLambda, WithoutAFileItIsOffUntilTheConfigChanges) {
  ChildSpec spec = spec_of("python", ChildKind::lambda);
  start(spec);

  const ChildEnded ended = wait_end();

  EXPECT_EQ(ended.cause, OutcomeKind::bad_config);
  EXPECT_THAT(ended.end.reason, HasSubstr("config key 'file' is missing"));
}

TEST_F(PythonLambda, WithoutTheGrantItSaysWhichOneToGive) {
  ChildSpec spec = spec_of("python", ChildKind::lambda);
  spec.config_json = R"({"file":"guest.py"})";
  start(spec);

  EXPECT_THAT(wait_end().end.reason, HasSubstr("grant = { code = ["));
}

TEST_F(PythonLambda, WithoutItsStandardLibraryItSaysSoAndDoesNotDie) {
  ChildSpec spec = spec_of("python", ChildKind::lambda);
  spec.config_json = R"({"file":"guest.py"})";
  spec.grant.code = {library_dir};
  start(spec);

  EXPECT_THAT(wait_end().end.reason,
              AllOf(HasSubstr("does not find its standard library"), HasSubstr("code = [")));
}

}  // namespace
}  // namespace cape::child
