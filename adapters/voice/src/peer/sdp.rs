//! What real answers lack and str0m wants.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

const DIRECTIONS: [&str; 4] = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];

/// An answer as str0m takes it: CRLF line ends, and a direction in each audio section, which is
/// `sendrecv` when none is given (RFC 8866 §6.7).
pub(crate) fn mend(answer: &str) -> Result<String, String> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(format!("it has {} bytes, {ANSWER_BYTES_MAX} at most", answer.len()));
    }
    let lines = answer.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.collect();
    if lines.first() != Some(&"v=0") {
        return Err("it is no session description (no line `v=0`)".into());
    }
    let mut sections: Vec<Vec<&str>> = vec![Vec::new()];
    for line in lines {
        if line.starts_with("m=") {
            sections.push(Vec::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push(line);
        }
    }

    let session = sections
        .first()
        .and_then(|session| DIRECTIONS.into_iter().find(|direction| session.contains(direction)));
    for section in sections.iter_mut().skip(1) {
        let is_audio = section.first().is_some_and(|line| line.starts_with("m=audio"));
        let has_direction = section.iter().any(|line| DIRECTIONS.contains(line));
        if is_audio && !has_direction {
            let direction = session.unwrap_or("a=sendrecv");
            section.push(direction);
        }
    }
    let mut mended = String::with_capacity(answer.len() + 64);
    for line in sections.into_iter().flatten() {
        mended.push_str(line);
        mended.push_str("\r\n");
    }
    Ok(mended)
}

/// An error about a description in one line, without the description's words: it holds credentials.
pub(crate) fn explain(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(160).collect()
}

/// Loopback addresses to use because all of the answer's addresses are of this machine itself; on some
/// systems they are reached from there only.
pub(crate) fn loopbacks(answer: &str) -> Vec<IpAddr> {
    let candidates = answer.lines().filter_map(|line| line.trim().strip_prefix("a=candidate:"));
    let addresses = candidates.filter_map(|line| line.split(' ').nth(4)?.parse::<IpAddr>().ok());
    let addresses: Vec<IpAddr> = addresses.collect();
    if !addresses.iter().all(IpAddr::is_loopback) {
        return Vec::new();
    }
    let ours = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    let is_wanted = |our: &IpAddr| addresses.iter().any(|their| their.is_ipv4() == our.is_ipv4());
    ours.into_iter().filter(is_wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audio_section_without_direction_gets_one() {
        let answer = "v=0\no=- 1 1 IN IP4 0.0.0.0\r\n\r\nm=audio 9 X 111\na=mid:0\n\
                      m=application 9 Y Z\na=mid:1\n";
        let mended = mend(answer).unwrap();
        assert_eq!(
            mended,
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nm=audio 9 X 111\r\na=mid:0\r\na=sendrecv\r\n\
             m=application 9 Y Z\r\na=mid:1\r\n"
        );
        assert_eq!(mend(&mended).unwrap(), mended, "once is enough");
        let session = mend("v=0\na=recvonly\nm=audio 9 X 111\n").unwrap();
        assert!(session.ends_with("m=audio 9 X 111\r\na=recvonly\r\n"), "{session}");
    }

    #[test]
    fn what_is_no_description_is_told_apart() {
        assert!(mend("<html>").unwrap_err().contains("v=0"));
        assert!(mend("").is_err());
        assert!(mend(&"v=0\n".repeat(20_000)).unwrap_err().contains("65536"));
    }

    #[test]
    fn loopback_is_wanted_when_there_is_nothing_else() {
        let line = |ip: &str| format!("a=candidate:1 1 udp 2113937151 {ip} 3478 typ host\r\n");
        let texts = |answer: &str| -> Vec<String> {
            loopbacks(answer).iter().map(ToString::to_string).collect()
        };
        assert_eq!(texts(&line("127.0.0.2")), ["127.0.0.1"]);
        assert_eq!(texts(&(line("::1") + &line("127.0.0.1"))), ["127.0.0.1", "::1"]);
        let none = [line("127.0.0.1") + &line("10.0.0.1"), "v=0\r\n".into(), line("x.local")];
        assert!(none.iter().all(|answer| loopbacks(answer).is_empty()));
    }
}
