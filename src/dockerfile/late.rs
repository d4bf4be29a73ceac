//! What BuildKit refuses only when it comes to build a stage: words that cannot be expanded, ports and signals that
//! do not exist, options of mounts.
//!
//! What a variable of the stage holds is not known here, so only that is reported which is wrong whatever it holds.

use std::borrow::Cow;

use super::{
    expand::{Budget, Lexer, Variables},
    flags,
    form::{Arguments, Form, Keyword},
    heredoc, mount,
    problem::Problem,
};

/// An instruction that BuildKit will refuse when it builds the stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Late {
    pub problem: Problem,
    /// A build argument that does away with the problem, as it replaces a default.
    pub unless: Option<String>,
}

impl Form<'_> {
    /// Returns what will be wrong with the instruction once its stage is built.
    pub fn late_problems(&self, escape: char) -> Vec<Late> {
        let lexer = Lexer::new(escape).unknown_variables();
        let problem = match self.keyword {
            Some(Keyword::Arg) => return self.late_defaults(lexer),
            Some(Keyword::Run) => self.late_mount(lexer),
            Some(Keyword::Add | Keyword::Copy) => self.late_copy(lexer),
            Some(Keyword::Expose) => self.late_words(lexer, check_port),
            Some(Keyword::StopSignal) => self.late_words(lexer, check_signal),
            Some(
                Keyword::Env | Keyword::Label | Keyword::User | Keyword::Volume | Keyword::Workdir,
            ) => self.late_words(lexer, |_| Ok(())),
            _ => None,
        };
        let unless = None;
        let late = problem.map(|problem| Late { problem, unless });
        late.into_iter().collect()
    }

    fn late_words(
        &self,
        lexer: Lexer,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<Problem> {
        let count = self.arguments.len();
        let mut words = (0..count).map(|n| self.arguments.text(self.line.as_str(), n));
        words.find_map(|word| self.late_word(word, lexer, &check))
    }

    fn late_word(
        &self,
        word: &str,
        lexer: Lexer,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<Problem> {
        let checked =
            expanded(word, lexer).and_then(|word| word.map_or(Ok(()), |word| check(&word)));
        let message = checked.err()?;
        Some(Problem::syntax(word, message).at(self.offset()))
    }

    fn late_copy(&self, lexer: Lexer) -> Option<Problem> {
        let is_copy = self.keyword == Some(Keyword::Copy);
        let last = self.arguments.len().saturating_sub(1);
        let words = (0..=last).map(|n| (n, self.arguments.text(self.line.as_str(), n)));
        let flags = ["chown", "chmod", "checksum"]
            .into_iter()
            .flat_map(|name| flags::named(&self.command.flags, name));
        let mut values = flags.filter_map(|flag| flag.parts().1);
        let value = values.find_map(|value| self.late_word(value, lexer, |_| Ok(())));
        let is_heredoc = |word| matches!(heredoc::of_word(word), Ok(Some(_)));
        let mut words = words.filter(|(_, word)| !is_heredoc(word));
        let word = words.find_map(|(n, word)| {
            self.late_word(word, lexer, |word| match is_copy && n < last {
                true => check_source(word),
                false => Ok(()),
            })
        });
        value.or(word)
    }

    fn late_mount(&self, lexer: Lexer) -> Option<Problem> {
        flags::named(&self.command.flags, "mount").find_map(|flag| {
            let value = flag.parts().1?;
            let message = mount::check(value, lexer).err()?;
            Some(Problem::syntax(value, message).at(flag.offset(self.line)))
        })
    }

    fn late_defaults(&self, lexer: Lexer) -> Vec<Late> {
        let Arguments::Words(words) = &self.arguments else {
            return Vec::new();
        };
        let late = words.iter().filter_map(|word| {
            let text = self.line.as_str().get(word.clone())?;
            let (name, default) = text.split_once('=')?;
            let message = expanded(default, lexer).err()?;
            Some(Late {
                problem: Problem::syntax(default, message).at(self.line.offset(word.start)),
                unless: Some(name.to_owned()),
            })
        });
        late.collect()
    }
}

/// Returns what a word comes to, if no variable decides it.
///
/// # Errors
///
/// Why it cannot be expanded.
pub(super) fn expanded(word: &str, lexer: Lexer) -> Result<Option<Cow<'_, str>>, String> {
    if lexer.is_plain(word) {
        return Ok(Some(Cow::Borrowed(word)));
    }
    let expanded = lexer
        .word(word, &Variables::new(), &Budget::new())
        .map_err(|error| error.to_string())?;
    Ok((!word.contains('$')).then_some(Cow::Owned(expanded)))
}

/// Refuses what `ADD` would fetch.
fn check_source(source: &str) -> Result<(), String> {
    let is_address = ["http://", "https://", "git://", "ssh://"]
        .iter()
        .any(|scheme| source.starts_with(scheme));
    match is_address {
        true => Err("`COPY` takes no address; `ADD` does".to_owned()),
        false => Ok(()),
    }
}

/// Checks `[[address:]host port:]port[-port][/protocol]`.
fn check_port(spec: &str) -> Result<(), String> {
    spec.split_whitespace().try_for_each(|spec| {
        let wrong = || format!("`{spec}` is no port");
        let (host, port) = spec.rsplit_once(':').unwrap_or(("", spec));
        let (port, protocol) = port.split_once('/').unwrap_or((port, ""));
        let known = ["", "tcp", "udp", "sctp"];
        if !known.contains(&protocol.to_lowercase().as_str()) {
            return Err(wrong());
        }
        let range = port_range(port).ok_or_else(wrong)?;
        let host_port = host.rsplit_once(':').map_or(host, |(_, port)| port);
        if host_port.is_empty() {
            return Ok(());
        }
        let on_host = port_range(host_port).ok_or_else(wrong)?;
        match range == 1 || range == on_host {
            true => Ok(()),
            false => Err(wrong()),
        }
    })
}

/// Returns how many ports a range holds.
fn port_range(text: &str) -> Option<u32> {
    let port = |text: &str| {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        digits
            .then(|| text.parse::<u16>().ok())
            .flatten()
            .map(u32::from)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    (port(last)? + 1)
        .checked_sub(port(first)?)
        .filter(|count| *count > 0)
}

/// Checks a signal, a number or a name of Linux.
fn check_signal(signal: &str) -> Result<(), String> {
    const SIGNALS: [&str; 36] = [
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT",
        "KILL", "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM",
        "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
        "RTMIN", "RTMAX",
    ];
    let upper = signal.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |prefix| {
        name.strip_prefix(prefix)
            .and_then(|n: &str| n.parse::<u8>().ok())
    };
    let known = match signal.parse::<i64>() {
        Ok(number) => number != 0,
        Err(_) => {
            SIGNALS.contains(&name)
                || offset("RTMIN+").is_some_and(|n| (1..=15).contains(&n))
                || offset("RTMAX-").is_some_and(|n| (1..=14).contains(&n))
        }
    };
    match known {
        true => Ok(()),
        false => Err(format!("`{signal}` is no signal")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::*;

    fn late(line: &str) -> Vec<String> {
        let text = Text::new(line, 0);
        let late = Form::of(&text, '\\').unwrap().late_problems('\\');
        late.into_iter().map(|late| late.problem.text).collect()
    }

    #[test]
    fn words_that_cannot_be_expanded_are_found() {
        assert_eq!(late("COPY \"a b\" /x"), ["\"a"]);
        assert_eq!(late("ADD --chown=${ a b"), ["${"]);
        assert_eq!(late("ENV a it's"), ["it's"]);
        assert_eq!(late("LABEL a=1 ${b=2}=c"), ["${b"]);
        assert_eq!(late("WORKDIR ${A"), ["${A"]);
        assert_eq!(late("ARG A='x B=${ C=1"), ["'x B=${ C=1"]);
        assert_eq!(late("ARG A=${ B=${"), ["${", "${"]);
        assert_eq!(late("VOLUME [\"${\"]"), ["${"]);
    }

    #[test]
    fn variables_may_hold_anything() {
        for line in [
            "ENV a=$B c=\"${D:?not set}\"",
            "COPY $A ${B#x} /c",
            "EXPOSE $PORT",
            "STOPSIGNAL $SIGNAL",
            "WORKDIR ${A:-/x}",
            "COPY <<'EOF' /a",
            "RUN echo ${",
            "CMD it's",
        ] {
            assert_eq!(late(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn ports_and_signals_must_exist() {
        for line in [
            "EXPOSE 80 443/tcp 1000-1010/UDP 8080:80 1.2.3.4:1:2",
            "STOPSIGNAL SIGTERM",
            "STOPSIGNAL 9",
            "STOPSIGNAL rtmin+3",
        ] {
            assert_eq!(late(line), [""; 0], "{line}");
        }
        for (line, wrong) in [
            ("EXPOSE 80 http", "http"),
            ("EXPOSE 80/foo", "80/foo"),
            ("EXPOSE 70000", "70000"),
            ("EXPOSE 9-8", "9-8"),
            ("EXPOSE 1-2:1-3", "1-2:1-3"),
            ("EXPOSE \"\"x", "\"\"x"),
            ("STOPSIGNAL SIGFOO", "SIGFOO"),
            ("STOPSIGNAL 0", "0"),
        ] {
            assert_eq!(late(line), [wrong], "{line}");
        }
    }

    #[test]
    fn a_copy_takes_no_address() {
        assert_eq!(
            late("COPY https://example.com/a /b"),
            ["https://example.com/a"]
        );
        assert_eq!(late("ADD https://example.com/a /b"), [""; 0]);
        assert_eq!(late("COPY a https://example.com/a"), [""; 0]);
    }

    #[test]
    fn mounts_are_checked_too() {
        assert_eq!(
            late("RUN --mount=type=bind,target=/x --mount=type=foo y"),
            ["type=foo"]
        );
    }
}
