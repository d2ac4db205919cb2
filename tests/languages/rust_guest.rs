//! A lambda in Rust that does as its payload says. Tests of the bindings of plugin_api/rust run it.
use std::collections::HashMap;
use std::sync::mpsc;

struct Guest {
    host: cape::Host,
    greeting: String,
    runs: cape::Metric,
    collected: usize,
}

impl cape::Lambda for Guest {
    const HAS_FLUSH: bool = true;

    fn create(host: &cape::Host, config: &cape::Config) -> Result<Self, cape::Refusal> {
        config.parse::<u16>("port", 80)?;
        if config.get("not_now").is_some() {
            return Err(cape::Refusal::NotNow("not yet".into()));
        }
        if config.get("panic").is_some() {
            panic!("in create");
        }
        Ok(Guest {
            host: *host,
            greeting: config.get("greeting").unwrap_or("hello").to_string(),
            runs: host.counter("runs"),
            collected: 0,
        })
    }

    fn process(&mut self, event: &cape::Event, call: &mut cape::Call) -> cape::Done {
        self.runs.add(1.0);
        self.collected += 1;
        match event.kind() {
            "type" | "" => {}
            other => return Err(cape::Outcome::BadInput(format!("type {}", other))),
        }
        match std::str::from_utf8(event.payload()) {
            Ok("panic") => panic!("at {}", event.subject()),
            Ok("index") => call.emit([0u8; 1][event.payload().len()..].to_vec()),
            Ok("skip") => Err(cape::Outcome::Skipped("on purpose".into())),
            Ok("fail") => Err(cape::Outcome::Failed("on purpose".into())),
            Ok("io") => Ok(std::fs::read("/etc/passwd").map(|_| ())?),
            Ok("twice") => call.emit("one").and_then(|_| call.emit("two")),
            Ok("where") => call.emit(format!(
                "{} {} {} {} {}",
                event.domain(), self.host.topology(), self.host.lambda(), event.subject(), event.sequence()
            )),
            Ok("input") => call.emit(match (event.input("words"), event.input("other")) {
                (Some(words), None) => words.to_vec(),
                _ => b"none".to_vec(),
            }),
            Ok("work") => self.work(call),
            Ok("flush") => {
                self.collected = 1000;
                Ok(())
            }
            _ => {
                self.host.info(format!("{} {}", self.greeting, event.subject()));
                call.emit(event.payload())
            }
        }
    }

    fn flush(&mut self, _call: &mut cape::Call) -> cape::Done {
        let collected = std::mem::take(&mut self.collected);
        if collected >= 1000 {
            return Err(cape::Outcome::Retry("flush says no".into()));
        }
        Ok(())
    }
}

impl Guest {
    // What ordinary Rust does: threads, channels, random hashing, clocks, big allocations, formatting.
    fn work(&self, call: &mut cape::Call) -> cape::Done {
        let (sender, receiver) = mpsc::channel();
        let threads: Vec<_> = (0..4)
            .map(|i| {
                let sender = sender.clone();
                std::thread::spawn(move || sender.send((i, vec![i as u8; 4 << 20].len())).unwrap())
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| cape::Outcome::Failed("a thread panicked".into()))?;
        }
        drop(sender);
        let counts: HashMap<i32, usize> = receiver.into_iter().collect();
        let begun = std::time::Instant::now();
        call.heartbeat();
        std::thread::sleep(std::time::Duration::from_millis(1));
        let slept = begun.elapsed() >= std::time::Duration::from_millis(1);
        call.emit(format!("{} {} {}", counts.len(), counts[&3], slept))
    }
}

cape::lambda!(Guest, "rust_guest", "1.0.0");
