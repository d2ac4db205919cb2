//! An event source in Rust that does as the subject says. Tests of the bindings of plugin_api/rust run it.

const LATEST: i64 = 10;

struct Guest {
    host: cape::Host,
}

impl cape::Source for Guest {
    fn create(host: &cape::Host, config: &cape::Config) -> Result<Self, cape::Refusal> {
        if config.get("refuse").is_some() {
            return Err(cape::Refusal::BadConfig("on purpose".into()));
        }
        Ok(Guest { host: *host })
    }

    fn latest(&mut self, subject: &str) -> Result<i64, cape::Outcome> {
        match subject {
            "a" => Ok(1),
            "b" => Ok(2),
            "good" => Ok(LATEST),
            "panic" => panic!("at {}", subject),
            "io" => Ok(std::fs::read("/etc/passwd")?.len() as i64),
            "fail" => Err(cape::Outcome::Failed("on purpose".into())),
            _ => Err(cape::Outcome::NotFound),
        }
    }

    fn query(&mut self, query: &cape::Query, events: &mut cape::Events) -> Result<cape::Answer, cape::Outcome> {
        let latest = self.latest(query.subject)?;
        let mut next_start = query.start;
        for _ in 0..query.events_max {
            let payload = format!("{} {}", self.host.domain(), next_start);
            let row = cape::Row { sequence: next_start, time_ns: 7, kind: "kind", payload: payload.as_bytes() };
            if next_start > latest || !events.emit(&row)? {
                break;
            }
            next_start += 1;
        }
        Ok(cape::Answer { next_start, latest, more: next_start <= latest })
    }

    // More than it is asked for: what the host does not take is told by emit.
    fn scan(&mut self, token: &str, _subjects_max: u32, subjects: &mut cape::Subjects) -> Result<bool, cape::Outcome> {
        for name in ["a", "b", "good"] {
            if name > token && !subjects.emit(name, self.latest(name)?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

cape::source!(Guest, "rust_source_guest", "1.0.0");
