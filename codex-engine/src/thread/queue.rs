//! Prompts that have not reached the model yet, in the order they came.
//!
//! ```text
//! (new)   --no images--> Ready
//! (new)   --images--> Loading
//! Loading --all read--> Ready            or failed: the prompt says so
//! Loading --deadline--> Ready            likewise
//! Ready   --turn--> (delivered)
//! Ready, Loading --interrupt--> (returned)
//! ```

use std::{collections::VecDeque, path::Path};

use codex_proto::{
    EffectId, EffectKind, Mono, Refused, Reply,
    item::{ResponseItem, Role},
    op::{Delivery, Prompt, PromptPart},
};
use serde_json::{Value, json};

use crate::{
    limits::{IMAGE_MS, PROMPTS_QUEUED_MAX},
    machine::{Cx, NEW, Part},
};

const MACHINE: &str = "prompt";

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct PromptQueue {
    next: u64,
    entries: VecDeque<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    number: u64,
    prompt: Prompt,
    images: Vec<Image>,
    until: Mono,
}

#[derive(Clone, Debug)]
enum Image {
    Failed(String),
    Loaded(String),
    Loading { effect: EffectId, bytes: Vec<u8> },
}

/// A prompt as the model gets it.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) item: ResponseItem,
    /// What the user typed.
    pub(crate) text: String,
    /// The images' paths.
    pub(crate) images: Vec<String>,
    pub(crate) output_schema: Option<Value>,
}

impl PromptQueue {
    /// Takes a prompt and reads its images.
    ///
    /// # Errors
    /// When it is empty, or too many wait.
    pub(crate) fn push(&mut self, prompt: Prompt, cx: &mut Cx<'_>) -> Result<(), Refused> {
        let blank = prompt.content.iter().all(|part| match part {
            PromptPart::Image { .. } => false,
            PromptPart::Text(text) => text.trim().is_empty(),
        });
        if blank {
            return Err(Refused::EmptyPrompt);
        }
        if self.entries.len() >= PROMPTS_QUEUED_MAX {
            return Err(Refused::QueueFull { limit: PROMPTS_QUEUED_MAX });
        }
        let number = self.next;
        self.next += 1;
        let mut images = Vec::new();
        for path in image_paths(&prompt) {
            let part = u16::try_from(images.len()).unwrap_or(u16::MAX);
            let effect = cx.start(
                Part::Image { prompt: number, part },
                EffectKind::Image { path: path.to_owned() },
            );
            images.push(Image::Loading { effect, bytes: Vec::new() });
        }
        let until = cx.now.mono.after_ms(IMAGE_MS);
        let entry = Entry { number, prompt, images, until };
        let on = if entry.images.is_empty() { "no images" } else { "images" };
        cx.moved(MACHINE, NEW, on, entry.state());
        self.entries.push_back(entry);
        Ok(())
    }

    pub(crate) fn on_reply(&mut self, number: u64, part: u16, reply: Reply, cx: &mut Cx<'_>) {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) else {
            return;
        };
        let Some(image) = entry.images.get_mut(usize::from(part)) else { return };
        let Image::Loading { bytes, .. } = image else { return };
        match reply {
            Reply::Bytes(more) => return bytes.extend_from_slice(&more),
            Reply::Closed => {
                *image = Image::Loaded(String::from_utf8_lossy(bytes).into_owned());
            }
            Reply::Failed(error) => {
                let why = error.to_string();
                cx.warn(not_attached(usize::from(part), &why));
                *image = Image::Failed(why);
            }
            // The grammar of a read has nothing else.
            _ => return,
        }
        if entry.is_ready() {
            cx.moved(MACHINE, "Loading", "all read", entry.state());
        }
    }

    /// Gives up on images that are late.
    pub(crate) fn on_wake(&mut self, cx: &mut Cx<'_>) {
        for entry in &mut self.entries {
            if entry.until > cx.now.mono || entry.is_ready() {
                continue;
            }
            cx.moved(MACHINE, "Loading", "deadline", "Ready");
            for (part, image) in entry.images.iter_mut().enumerate() {
                if let Image::Loading { effect, .. } = image {
                    cx.cancel(*effect);
                    let why = format!("not read within {} s", IMAGE_MS / 1_000);
                    cx.warn(not_attached(part, &why));
                    *image = Image::Failed(why);
                }
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        let loading = self.entries.iter().filter(|entry| !entry.is_ready());
        Some((loading.map(|entry| entry.until).min()?, "read images"))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a prompt waits to join the running turn.
    pub(crate) fn has_steer(&self) -> bool {
        self.entries.iter().any(|entry| entry.prompt.delivery == Delivery::Steer)
    }

    /// Makes the oldest prompt join the turn that is about to start, whatever it asked for.
    pub(crate) fn admit_front(&mut self) {
        if let Some(entry) = self.entries.front_mut() {
            entry.prompt.delivery = Delivery::Steer;
        }
    }

    /// The next prompt that joins the turn, if it is ready.
    pub(crate) fn take_steer(&mut self, cx: &mut Cx<'_>) -> Option<Ready> {
        let at = self.entries.iter().position(|entry| entry.prompt.delivery == Delivery::Steer)?;
        if !self.entries[at].is_ready() {
            return None;
        }
        cx.moved(MACHINE, self.entries[at].state(), "turn", "(delivered)");
        self.entries.remove(at).map(Entry::into_ready)
    }

    /// Empties the queue.
    pub(crate) fn drain(&mut self, cx: &mut Cx<'_>) -> Vec<Prompt> {
        self.entries
            .drain(..)
            .map(|entry| {
                cx.moved(MACHINE, entry.state(), "interrupt", "(returned)");
                for image in &entry.images {
                    if let Image::Loading { effect, .. } = image {
                        cx.cancel(*effect);
                    }
                }
                entry.prompt
            })
            .collect()
    }
}

impl Entry {
    fn state(&self) -> &'static str {
        if self.is_ready() { "Ready" } else { "Loading" }
    }

    fn is_ready(&self) -> bool {
        !self.images.iter().any(|image| matches!(image, Image::Loading { .. }))
    }

    /// Images come first, each between tags that name it; text follows.
    fn into_ready(self) -> Ready {
        let paths: Vec<String> =
            image_paths(&self.prompt).map(|path| path.display().to_string()).collect();
        let text_part = |text: &str| json!({ "type": "input_text", "text": text });
        let mut content = Vec::new();
        for (index, (image, path)) in self.images.iter().zip(&paths).enumerate() {
            match image {
                Image::Loaded(url) => {
                    content.push(text_part(&format!("<image name=[Image #{}]>", index + 1)));
                    content
                        .push(json!({ "type": "input_image", "image_url": url, "detail": "high" }));
                    content.push(text_part("</image>"));
                }
                Image::Failed(why) => content.push(text_part(&format!(
                    "[Image #{} could not be attached: {path}: {why}]",
                    index + 1
                ))),
                Image::Loading { .. } => {}
            }
        }
        let texts: Vec<&str> = self
            .prompt
            .content
            .iter()
            .filter_map(|part| match part {
                PromptPart::Image { .. } => None,
                PromptPart::Text(text) => Some(text.as_str()),
            })
            .collect();
        content.extend(texts.iter().map(|text| text_part(text)));
        Ready {
            item: ResponseItem::message_of(Role::User, content),
            text: texts.join("\n"),
            images: paths,
            output_schema: self.prompt.output_schema,
        }
    }
}

/// What the user is told of an image that the model does not get.
fn not_attached(part: usize, why: &str) -> String {
    format!("image {} was not attached: {why}", part + 1)
}

fn image_paths(prompt: &Prompt) -> impl Iterator<Item = &Path> {
    prompt.content.iter().filter_map(|part| match part {
        PromptPart::Image { path } => Some(path.as_path()),
        PromptPart::Text(_) => None,
    })
}
