//! A lambda in Rust: counts the words of each event's payload and gives the number on.
//!
//! What to change first: the id in `cape::lambda!` (cape.toml means it by `plugin`), then `process`.
//! All that can be called stands in cape.rs of the installation, share/cape/rust.

struct LineWords {
    host: cape::Host,
    word_bytes_min: usize,
    words: cape::Metric,
}

impl cape::Lambda for LineWords {
    // Once for each process of this lambda. BadConfig switches it off and tells the operator why.
    fn create(host: &cape::Host, config: &cape::Config) -> Result<Self, cape::Refusal> {
        Ok(LineWords {
            host: *host,
            word_bytes_min: config.parse("word_bytes_min", 1)?,
            words: host.counter("words"),
        })
    }

    // Each event, in order for one subject. An event can run again, after a crash for instance: so what it does
    // elsewhere has to be idempotent; keep `event.sequence()` beside your effect.
    fn process(&mut self, event: &cape::Event, call: &mut cape::Call) -> cape::Done {
        if event.payload().is_empty() {
            return Err(cape::Outcome::Skipped("no text".into()));
        }
        // `?` on an error of the standard library is a retry with its text; here no retry would help.
        let text = std::str::from_utf8(event.payload())
            .map_err(|error| cape::Outcome::BadInput(error.to_string()))?;
        let words = count(text, self.word_bytes_min);
        self.words.add(words as f64);
        self.host.info(format!("{}: {} words", event.subject(), words));
        call.emit(words.to_string()) // what `needs = ["..."]` of another lambda gets
    }
}

fn count(text: &str, word_bytes_min: usize) -> usize {
    text.split_whitespace().filter(|word| word.len() >= word_bytes_min).count()
}

cape::lambda!(LineWords, "line_words", "1.0.0");

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_words_that_are_long_enough() {
        assert_eq!(count(" some  words\n", 1), 2);
        assert_eq!(count("a be see", 2), 2);
        assert_eq!(count("", 1), 0);
    }
}
