//! Conditions on a request: what chooses a step, and which way a branch goes.

use crate::request::Request;

/// Holds when all its parts hold; the empty condition always does.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Condition {
    pub(crate) tests: Vec<Test>,
}

/// One part of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// At least one of these holds.
    Any(Vec<Condition>),
    BodyContains(String),
    BodyLacks(String),
    HasTools(bool),
    /// The header is there and contains the text.
    Header {
        name: String,
        part: String,
    },
    Not(Condition),
    /// The request has this number, counted from 1.
    Nth(u64),
    /// Something about a tool output; never holds when there is none.
    Output {
        of: Option<String>,
        test: OutputTest,
    },
    PromptContains(String),
}

/// A test of what a tool gave back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OutputTest {
    Contains(String),
    ExitCode(i64),
    /// Whether there is an exit code at all.
    Exited(bool),
    Lacks(String),
    /// Whether the command goes on after the call.
    Running(bool),
}

impl Condition {
    pub(crate) fn holds(&self, request: &Request<'_>) -> bool {
        self.tests.iter().all(|test| test.holds(request))
    }
}

impl Test {
    fn holds(&self, request: &Request<'_>) -> bool {
        match self {
            Self::Any(conditions) => conditions.iter().any(|one| one.holds(request)),
            Self::BodyContains(text) => request.body_contains(text),
            Self::BodyLacks(text) => !request.body_contains(text),
            Self::HasTools(want) => request.has_tools() == *want,
            Self::Header { name, part } => {
                request.header(name).is_some_and(|value| value.contains(part.as_str()))
            }
            Self::Not(condition) => !condition.holds(request),
            Self::Nth(nth) => request.nth == *nth,
            Self::Output { of, test } => {
                request.tool_output(of.as_deref()).is_some_and(|output| match test {
                    OutputTest::Contains(text) => output.printed.contains(text.as_str()),
                    OutputTest::ExitCode(code) => output.exit_code == Some(*code),
                    OutputTest::Exited(want) => output.exit_code.is_some() == *want,
                    OutputTest::Lacks(text) => !output.printed.contains(text.as_str()),
                    OutputTest::Running(want) => output.session_id.is_some() == *want,
                })
            }
            Self::PromptContains(text) => {
                request.prompt().is_some_and(|prompt| prompt.contains(text.as_str()))
            }
        }
    }
}
