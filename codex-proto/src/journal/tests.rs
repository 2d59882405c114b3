use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    EffectId, HostError, HostErrorKind, Op, OpId, Reply, Settings, ThreadId,
    effect::{Exit, HttpHead, ProjectInfo},
    op::{Delivery, Prompt, PromptPart},
};

fn header() -> Header {
    let settings = serde_json::value::to_raw_value(&Settings::sample("/w".into())).unwrap();
    Header {
        journal: FORMAT,
        program: "0.1.0".into(),
        seed: *b"0123456789abcdef",
        settings_hash: Hash64::of(settings.get().as_bytes()),
        settings,
    }
}

fn line(input: &Input) -> String {
    let mut line = Vec::new();
    let now = Now { mono: Mono(3), wall: Wall(-4) };
    write_input(7, now, input, &mut line).unwrap();
    write_outcome(&Outcome::Outputs(Hash64(0xab)), &mut line);
    assert_eq!(line.pop(), Some(b'\n'));
    String::from_utf8(line).unwrap()
}

fn round_trip(input: Input) {
    let line = line(&input);
    assert!(!line.contains('\n'));
    let now = Now { mono: Mono(3), wall: Wall(-4) };
    let want = Entry { n: 7, now, input, outcome: Outcome::Outputs(Hash64(0xab)) };
    assert_eq!(Line::parse(line.as_bytes()), Ok(Line::Entry(want)), "{line}");
}

fn prompt(output_schema: Option<serde_json::Value>) -> Input {
    let thread = ThreadId(uuid::Uuid::from_u128(5));
    let content = vec![PromptPart::Text("hi \u{1}\"\\ \u{2028} ü".into())];
    let delivery = Delivery::FollowUp;
    let prompt = Prompt { thread, content, delivery, output_schema };
    Input::Op(OpId(1), Op::Prompt(Box::new(prompt)))
}

#[test]
fn a_line_reads_as_documented() {
    let id = EffectId(std::num::NonZeroU64::MIN);
    let start = Input::Op(OpId(1), Op::StartThread);
    let out = r#""out":"00000000000000ab""#;
    for (input, want) in [
        (start, r#"{"op":[1,"start_thread"]}"#),
        (Input::Wake, r#""wake""#),
        (Input::Reply(id, Reply::Closed), r#"{"reply":[1,"closed"]}"#),
        (Input::Reply(id, Reply::Bytes(b"a\n".to_vec())), r#"{"reply":[1,{"bytes":"a\n"}]}"#),
        (
            Input::Reply(id, Reply::Bytes(vec![0xff, 0])),
            r#"{"reply":[1,{"bytes":{"base64":"/wA="}}]}"#,
        ),
    ] {
        assert_eq!(line(&input), format!(r#"{{"n":7,"mono":3,"wall":-4,"in":{want},{out}}}"#));
        round_trip(input);
    }
}

#[test]
fn a_schema_that_is_null_is_not_a_missing_one() {
    for schema in [None, Some(json!(null)), Some(json!({ "b": 0.1, "a": [null] }))] {
        round_trip(prompt(schema));
    }
}

#[test]
fn the_hash_is_the_same_everywhere_and_covers_what_came_before() {
    assert_eq!(Hash64::of(b"").to_string(), "2d06800538d394c2");
    assert_eq!(Hash64::of(b"journal").to_string(), "fcc107ad2be09a76");
    assert_ne!(Hash64::of(b"a").then(b"b"), Hash64::of(b"b").then(b"a"));
    assert_ne!(Hash64::of(b"a").then(b""), Hash64::of(b"a"));
}

#[test]
fn a_header_is_read_as_it_was_written() {
    let header = header();
    let mut line = Vec::new();
    header.write(&mut line);
    let read = Header::parse(&line).unwrap();
    assert_eq!((read.seed, read.settings.get()), (header.seed, header.settings.get()));
    let settings: Settings = serde_json::from_str(read.settings.get()).unwrap();
    assert_eq!(settings, Settings::sample("/w".into()));
}

#[test]
fn other_lines_are_read_as_they_were_written() {
    let write = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut line = Vec::new();
        write(&mut line);
        Line::parse(&line)
    };
    for cause in [GapCause::Cap { bytes: 9 }, GapCause::Behind { bytes: 1 }, GapCause::NotText] {
        let gap = Gap { after: 3, cause };
        assert_eq!(write(&|to| write_gap(&gap, to)), Ok(Line::Gap(gap)));
    }
    let end = End { inputs: 4, recorded: 3 };
    assert_eq!(write(&|to| write_end(&end, to)), Ok(Line::End(end)));
}

#[test]
fn what_is_no_line_of_a_journal_is_refused() {
    let whole = line(&Input::Wake);
    let both = whole.replace("}", r#","panic":"x"}"#);
    for (line, why) in [
        ("", "EOF"),
        ("{}", "neither"),
        ("[]", "invalid"),
        (r#"{"end":{"inputs":1}}"#, "recorded"),
        (r#"{"gap":{"after":1,"cause":"tired"}}"#, "unknown variant"),
        (&whole.replace("00ab", "0ab"), "16 hexadecimal digits"),
        (&whole.replace("000ab", "+00ab"), "16 hexadecimal digits"),
        (&whole.replace(",\"out\"", ",\"oat\""), "unknown field"),
        (&whole.replace("wake", "sleep"), "unknown variant"),
        (&both, "either"),
    ] {
        let Err(LineError::Malformed(text)) = Line::parse(line.as_bytes()) else {
            panic!("{line}");
        };
        assert!(text.contains(why), "{line}: {text}");
    }
}

#[test]
fn a_header_of_another_format_is_told_from_no_header() {
    let other = br#"{"journal":2,"unknown":true}"#;
    assert_eq!(Header::parse(other).unwrap_err(), LineError::Format { found: 2 });
    for line in [&b""[..], b"{}", b"\xff", br#"{"journal":"1"}"#, br#"{"journal":1}"#] {
        assert!(matches!(Header::parse(line), Err(LineError::Malformed(_))));
    }
}

fn replies() -> impl Strategy<Value = Reply> {
    let bytes = || prop_oneof![any::<String>().prop_map(String::into_bytes), any::<Vec<u8>>()];
    let text = any::<String>;
    prop_oneof![
        bytes().prop_map(Reply::Bytes),
        (any::<u64>(), bytes())
            .prop_map(|(omitted_bytes, bytes)| Reply::Tail { omitted_bytes, bytes }),
        (any::<i32>(), any::<u64>(), proptest::option::of(text())).prop_map(
            |(code, bytes, path)| {
                let spool = path.map(Into::into);
                Reply::Exited(Exit { code, output_bytes: bytes, spool, spool_cut_bytes: bytes })
            }
        ),
        text().prop_map(|text| Reply::Failed(HostError::new(HostErrorKind::Tls, text))),
        (any::<u16>(), proptest::collection::vec((text(), text()), 0..3))
            .prop_map(|(status, headers)| Reply::Head(Box::new(HttpHead { status, headers }))),
        proptest::option::of(text()).prop_map(|global_doc| {
            Reply::Project(Box::new(ProjectInfo { global_doc, ..ProjectInfo::default() }))
        }),
    ]
}

proptest! {
    #[test]
    fn prop_any_reply_survives_its_line(id in 1..=u64::MAX, reply in replies()) {
        round_trip(Input::Reply(EffectId(id.try_into().unwrap()), reply));
    }

    #[test]
    fn prop_any_bytes_are_read_or_refused(line in any::<Vec<u8>>()) {
        let _ = (Line::parse(&line), Header::parse(&line));
    }
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_is_refused_without_a_trace() {
    use std::os::unix::ffi::OsStringExt as _;
    let path = std::ffi::OsString::from_vec(vec![b'/', 0xff]).into();
    let mut to = b"before".to_vec();
    let input = Input::Op(OpId(1), Op::ResumeThread { path });
    assert!(write_input(1, Now::default(), &input, &mut to).is_err());
    assert_eq!(to, b"before");
}
