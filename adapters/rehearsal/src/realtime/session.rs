//! One conversation: the scripted side, its control channels, and its peer.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use smol::{Timer, channel::Sender};

use super::{
    Service, Via,
    ask::{PeerAsk, SocketAsk},
    seen,
};
use crate::{
    Script,
    voice::{Act, Heard, ScriptedVoice, What},
};

/// See the module.
pub(crate) struct Session {
    pub(crate) id: String,
    service: Weak<Service>,
    voice: RefCell<ScriptedVoice>,
    controls: RefCell<Vec<(u64, Control)>>,
    next_control: Cell<u64>,
    peer: RefCell<Option<Sender<PeerAsk>>>,
}

/// A channel for events.
pub(crate) enum Control {
    /// The data channel of the peer.
    Channel,
    /// A socket.
    Socket(Sender<SocketAsk>),
}

impl Session {
    pub(crate) fn new(service: Weak<Service>, script: &Script, id: &str) -> Rc<Self> {
        Rc::new(Self {
            id: id.to_owned(),
            service,
            voice: RefCell::new(ScriptedVoice::new(script, id)),
            controls: RefCell::default(),
            next_control: Cell::new(0),
            peer: RefCell::default(),
        })
    }

    /// The call has this peer.
    pub(crate) fn has_peer(&self, peer: Sender<PeerAsk>) {
        *self.peer.borrow_mut() = Some(peer);
    }

    /// Nothing can join it any more.
    pub(crate) fn end(&self) {
        if let Some(service) = self.service.upgrade() {
            service.sessions.borrow_mut().remove(&self.id);
        }
    }

    /// Whether there is a peer.
    pub(crate) fn is_call(&self) -> bool {
        self.peer.borrow().is_some()
    }

    /// Events go there too from now on.
    pub(crate) fn control(&self, control: Control) -> u64 {
        let number = self.next_control.get();
        self.next_control.set(number + 1);
        self.controls.borrow_mut().push((number, control));
        number
    }

    /// A control channel is gone.
    pub(crate) fn lose(&self, number: u64) {
        self.controls.borrow_mut().retain(|(have, _)| *have != number);
    }

    pub(crate) fn see(&self, what: seen::What) {
        if let Some(service) = self.service.upgrade() {
            service.log.see(&self.id, what);
        }
    }

    /// A message of the client.
    pub(crate) fn text(self: &Rc<Self>, via: Via, text: &str) {
        self.see(seen::What::Text(via, text.to_owned()));
        self.hear(Heard::Text(text));
    }

    /// Hears something, and does what the script has for it.
    pub(crate) fn hear(self: &Rc<Self>, heard: Heard<'_>) {
        let mut acts = self.voice.borrow_mut().hear(heard).into_iter();
        let mut later = Vec::new();
        // What is to be done at once is done at once, before anything else is heard.
        for act in acts.by_ref() {
            if act.delay_ms > 0 {
                later.push(act);
                break;
            }
            self.act(act);
        }
        later.extend(acts);
        if let Some(service) = self.service.upgrade().filter(|_| !later.is_empty()) {
            let session = Rc::clone(self);
            service.spawn(async move {
                for act in later {
                    if act.delay_ms > 0 {
                        Timer::after(Duration::from_millis(act.delay_ms)).await;
                    }
                    session.act(act);
                }
            });
        }
    }

    fn act(&self, act: Act) {
        match act.what {
            What::Close(code) => self.sockets(|| SocketAsk::Close(code)),
            What::Send(text) => self.send(&text),
            What::Silence => self.ask(PeerAsk::Silence),
            What::Speak { ms, response, item } => {
                if self.peer.borrow().is_some() {
                    self.ask(PeerAsk::Speak(ms));
                } else {
                    self.sockets(|| SocketAsk::Speak {
                        ms,
                        response: response.clone(),
                        item: item.clone(),
                    });
                }
            }
        }
    }

    fn send(&self, text: &str) {
        let duplicate = self.service.upgrade().is_some_and(|service| service.voice.duplicate);
        let controls = self.controls.borrow();
        let count = if duplicate { controls.len() } else { 1 };
        for (_, control) in controls.iter().take(count) {
            match control {
                Control::Channel => self.ask(PeerAsk::Text(text.to_owned())),
                // One that is gone leaves the list by itself.
                Control::Socket(socket) => {
                    let _ = socket.try_send(SocketAsk::Text(text.to_owned()));
                }
            }
        }
    }

    fn sockets(&self, ask: impl Fn() -> SocketAsk) {
        for (_, control) in self.controls.borrow().iter() {
            if let Control::Socket(socket) = control {
                let _ = socket.try_send(ask());
            }
        }
    }

    fn ask(&self, ask: PeerAsk) {
        if let Some(peer) = &*self.peer.borrow() {
            // A peer that is gone hears nothing.
            let _ = peer.try_send(ask);
        }
    }
}
