//! An event source in Rust: every file NAME.txt of a directory is the subject NAME, and each of its whole lines an
//! event whose sequence is the line's number. Lines are only ever added to such a file.
//!
//! What to change first: the id in `cape::source!`, then where `read` gets its rows from.
//! All that can be called stands in cape.rs of the installation, share/cape/rust.

const NAME_BYTES_MAX: usize = 255; // of a file on Linux

struct LineSource {
    dir: std::path::PathBuf,
}

impl cape::Source for LineSource {
    // `dir` must be granted: grant = { read = ["..."] }. Nothing else of the machine's files is there.
    fn create(_host: &cape::Host, config: &cape::Config) -> Result<Self, cape::Refusal> {
        let dir = std::path::PathBuf::from(config.require("dir")?);
        if !dir.is_dir() {
            let why = format!("'{}' is no directory here: grant it for reading", dir.display());
            return Err(cape::Refusal::BadConfig(why));
        }
        Ok(LineSource { dir })
    }

    // A safe upper bound: no event at or below it may appear later. Lines come in order, so their number is one.
    fn latest(&mut self, subject: &str) -> Result<i64, cape::Outcome> {
        Ok(whole_lines(&self.read(subject)?).len() as i64)
    }

    // The events from query.start on. The answer proves [start, next_start - 1]: there is no other event in it.
    fn query(&mut self, query: &cape::Query, events: &mut cape::Events) -> Result<cape::Answer, cape::Outcome> {
        let text = self.read(query.subject)?;
        let lines = whole_lines(&text);
        let latest = lines.len() as i64;
        let (mut next_start, mut count, mut bytes) = (query.start.max(1), 0, 0);
        while next_start <= latest && count < query.events_max {
            let payload = lines[next_start as usize - 1];
            bytes += payload.len() as u64;
            if count > 0 && bytes > query.bytes_max {
                break; // the first one always goes: else nothing would ever move
            }
            if !events.emit(&cape::Row { sequence: next_start, time_ns: 0, kind: "line", payload })? {
                break; // the answer is full, and this event is not in it
            }
            next_start += 1;
            count += 1;
        }
        Ok(cape::Answer { next_start, latest, more: next_start <= latest })
    }

    // The subjects behind `token`, in rising byte order; true: there are more. This is how Cape finds what no ping
    // told of.
    fn scan(&mut self, token: &str, subjects_max: u32, subjects: &mut cape::Subjects) -> Result<bool, cape::Outcome> {
        let mut count = 0;
        for name in self.names_above(token)? {
            if count == subjects_max {
                return Ok(true);
            }
            let latest = match self.latest(&name) {
                Err(cape::Outcome::NotFound) => continue, // a directory, or gone by now
                found => found?,
            };
            if !subjects.emit(&name, latest)? {
                return Ok(true);
            }
            count += 1;
        }
        Ok(false)
    }
}

impl LineSource {
    // `?` on an error of the standard library runs this again after a while, and the operator sees why.
    fn read(&self, subject: &str) -> Result<Vec<u8>, cape::Outcome> {
        if !is_subject(subject) {
            return Err(cape::Outcome::NotFound);
        }
        let path = self.dir.join(format!("{}.txt", subject));
        match std::fs::metadata(&path) {
            Ok(facts) if facts.is_file() => Ok(std::fs::read(&path)?),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Err(cape::Outcome::NotFound),
        }
    }

    fn names_above(&self, token: &str) -> Result<Vec<String>, cape::Outcome> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let file = entry?.file_name();
            // A name that is not UTF-8 is no subject.
            if let Some(name) = file.to_str().and_then(|name| name.strip_suffix(".txt")) {
                if name > token {
                    names.push(name.to_string());
                }
            }
        }
        names.sort();
        Ok(names)
    }
}

// Anybody may ping any name, so one that could leave the directory is no subject.
fn is_subject(name: &str) -> bool {
    !name.is_empty() && name.len() + ".txt".len() <= NAME_BYTES_MAX && !name.contains(['/', '\0'])
}

// A line without its end is still being written.
fn whole_lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    lines.pop();
    lines
}

cape::source!(LineSource, "line_source", "1.0.0", cape::WANTS_READ);

#[cfg(test)]
mod tests {
    use super::{is_subject, whole_lines};

    #[test]
    fn reads_lines_that_have_their_end() {
        assert_eq!(whole_lines(b"one\n\nthree\nunfinis"), [&b"one"[..], b"", b"three"]);
        assert!(whole_lines(b"").is_empty());
    }

    #[test]
    fn leaves_the_directory_for_no_name() {
        assert!(is_subject("a b"));
        assert!(!is_subject("../a"));
        assert!(!is_subject("a\0"));
        assert!(!is_subject(""));
        assert!(!is_subject(&"a".repeat(252)));
    }
}
