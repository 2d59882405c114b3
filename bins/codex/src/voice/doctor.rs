//! `codex voice doctor`: devices, what the microphone hears, and two peers over loopback. Each failure
//! comes with what to do about it.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use codex_exec::{session::Session, stderr};
use codex_proto::{
    HostErrorKind,
    effect::{AudioDevice, AudioDevices},
};
use codex_voice::{
    NULL, Voice,
    device::{self, Listed},
    doctor::{self, Heard, Loopback},
};

use super::talk;
use crate::args::{SessionArgs, VoiceDoctorArgs};

/// How long the microphone is listened to.
const LISTEN: Duration = Duration::from_secs(3);

/// Peaks of no sound at all: a device that is muted or not plugged in.
const SILENT: u16 = 8;

/// Peaks of quiet speech.
const QUIET: u16 = 500;

/// Cells of the meter.
const CELLS: usize = 30;

/// Runs the checks; exit code 1 when one failed.
pub(super) fn run(args: VoiceDoctorArgs, outer: SessionArgs) -> u8 {
    let session = match talk::open(args.config, outer, args.null) {
        Ok(session) => session,
        Err(error) => {
            stderr::line(&error.to_string());
            return 1;
        }
    };
    let devices = session.resolved.part.realtime.devices.clone();
    let mut report = Report { failed_count: 0, is_broken: false };
    list(&session, &devices, &mut report);
    listen(&session, devices, &mut report);
    report.print("");
    report.print("loopback (two peers over UDP on 127.0.0.1):");
    let (text, is_good) = tell_loopback(doctor::loopback().map_err(|error| error.message));
    report.check(&text, is_good);
    report.print("");
    match report.failed_count {
        0 => report.print("Voice works on this machine."),
        1 => report.print("1 check failed; what to do is said above."),
        count => report.print(&format!("{count} checks failed; what to do is said above.")),
    }
    u8::from(report.failed_count > 0 || report.is_broken)
}

/// What is printed, and how many checks failed.
struct Report {
    failed_count: usize,
    is_broken: bool,
}

impl Report {
    fn print(&mut self, text: &str) {
        self.is_broken |= writeln!(io::stdout().lock(), "{text}").is_err();
    }

    fn check(&mut self, text: &str, is_good: bool) {
        self.failed_count += usize::from(!is_good);
        let mark = if is_good { "ok    " } else { "FAILED" };
        self.print(&format!("  {mark} {text}"));
    }
}

fn list(session: &Session, wanted: &AudioDevices, report: &mut Report) {
    report.print("devices:");
    if [&wanted.microphone, &wanted.speaker].iter().all(|name| name.as_deref() == Some(NULL)) {
        report.check("the null device is configured: silence in, nothing out", true);
        return;
    }
    let get = |name: &str| session.environment.get(name).map(std::ffi::OsStr::to_os_string);
    let system = device::system(get);
    let listed = match doctor::list(&*system) {
        Ok(listed) => listed,
        Err(error) => {
            report.check(&format!("{}; {}", error.message, fix(error.kind)), false);
            return;
        }
    };
    for kind in [AudioDevice::Microphone, AudioDevice::Speaker] {
        for device in listed.iter().filter(|device| device.device == kind) {
            report.print(&format!("         {}", describe(device)));
        }
        let name = match kind {
            AudioDevice::Microphone => &wanted.microphone,
            AudioDevice::Speaker => &wanted.speaker,
        };
        let (text, is_good) = judge(kind, name.as_deref(), &listed);
        report.check(&text, is_good);
    }
}

fn describe(device: &Listed) -> String {
    let kind = word(device.device);
    let default = if device.is_default { ", the default" } else { "" };
    match device.description.is_empty() || device.description == device.name {
        true => format!("{kind} `{}`{default}", device.name),
        false => format!("{kind} `{}` ({}{default})", device.name, device.description),
    }
}

/// Whether the device that would be used is there.
fn judge(kind: AudioDevice, wanted: Option<&str>, listed: &[Listed]) -> (String, bool) {
    let (word, key) = (word(kind), format!("audio.{}", word(kind)));
    let mut ours = listed.iter().filter(|device| device.device == kind);
    let is_named = |device: &&Listed, name: &str| {
        device.name == name || device.description.eq_ignore_ascii_case(name)
    };
    match wanted {
        Some(NULL) => (format!("{word}: the null device, as configured"), true),
        Some(name) => match ours.find(|device| is_named(device, name)) {
            Some(device) => (format!("{word}: `{}`, as configured", device.name), true),
            None => {
                let text = format!(
                    "{word}: `{name}` is configured and not there; plug it in, or set `{key}` to \
                     one of the names above"
                );
                (text, false)
            }
        },
        None => match ours.find(|device| device.is_default) {
            Some(device) => (format!("{word}: `{}`, the default", device.name), true),
            None => {
                let text = format!(
                    "{word}: there is no default one; plug one in, or set `{key}` to one of the \
                     names above"
                );
                (text, false)
            }
        },
    }
}

fn listen(session: &Session, devices: AudioDevices, report: &mut Report) {
    let seconds = LISTEN.as_secs();
    report.print("");
    report.print(&format!("microphone (say something for {seconds} s):"));
    let is_null = devices.microphone.as_deref() == Some(NULL);
    let voice: Voice = session.voice();
    // A meter that moves is for eyes; a file gets the result alone.
    let is_live = io::stderr().is_terminal();
    let heard = doctor::listen(&voice, devices, LISTEN, |peak| {
        if is_live {
            stderr::write(&format!("\r  {}", meter(peak)));
        }
    });
    if is_live {
        stderr::write("\r\x1b[K");
    }
    for (text, is_good) in tell_heard(&heard, is_null) {
        report.check(&text, is_good);
    }
}

fn meter(peak: u16) -> String {
    // A logarithmic scale over 60 dB, as ears have it.
    let decibels = 20.0 * (f64::from(peak.max(1)) / 32_767.0).log10();
    let full = ((decibels + 60.0) / 60.0 * CELLS as f64).round().clamp(0.0, CELLS as f64) as usize;
    format!("[{}{}] {peak:5}", "#".repeat(full), " ".repeat(CELLS - full))
}

fn tell_heard(heard: &Heard, is_null: bool) -> Vec<(String, bool)> {
    let mut told: Vec<(String, bool)> =
        heard.problems.iter().map(|problem| (problem.clone(), false)).collect();
    let wanted = LISTEN.as_millis() as u64;
    if heard.captured_ms < wanted / 2 {
        let text = format!(
            "only {} of {wanted} ms were captured; the device or the machine is too busy, or the \
             device needs to be plugged in again",
            heard.captured_ms
        );
        told.push((text, false));
    }
    if is_null {
        told.push(("the null device hears silence".into(), true));
    } else if told.is_empty() {
        told.push(match heard.peak {
            peak if peak < SILENT => {
                let text = "nothing at all is heard; unmute the microphone in the system's sound \
                            settings, raise its level, and let this terminal use it";
                (text.into(), false)
            }
            peak if peak < QUIET => {
                (format!("very quiet, peak {peak} of 32767; speech has 2000 and more"), true)
            }
            peak => (format!("heard, peak {peak} of 32767"), true),
        });
    }
    told
}

fn tell_loopback(measured: Result<Loopback, String>) -> (String, bool) {
    match measured {
        Ok(Loopback { offer, media_up, message, tone }) => {
            let ms = |time: Duration| time.as_millis();
            let text = format!(
                "offer {} ms, media up {} ms, message back {} ms, tone back {} ms",
                ms(offer),
                ms(media_up),
                ms(message),
                ms(tone)
            );
            (text, true)
        }
        Err(error) => {
            let text = format!("{error}; let this program use UDP (a firewall or sandbox may not)");
            (text, false)
        }
    }
}

fn fix(kind: HostErrorKind) -> &'static str {
    if cfg!(target_os = "linux") {
        match kind {
            HostErrorKind::Connect => {
                "start PulseAudio or PipeWire (`systemctl --user start pipewire-pulse`), set \
                 PULSE_SERVER, or use `--null`"
            }
            HostErrorKind::Permission => "set PULSE_COOKIE to the cookie of the sound server",
            _ => "restart the sound server, or use `--null`",
        }
    } else {
        "let this terminal use the microphone in the system's privacy settings, or use `--null`"
    }
}

fn word(device: AudioDevice) -> &'static str {
    match device {
        AudioDevice::Microphone => "microphone",
        AudioDevice::Speaker => "speaker",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(device: AudioDevice, name: &str, is_default: bool) -> Listed {
        Listed { device, name: name.into(), description: format!("The {name}"), is_default }
    }

    #[test]
    fn a_configured_device_that_is_missing_is_named_with_its_key() {
        let devices = [
            listed(AudioDevice::Microphone, "desk", true),
            listed(AudioDevice::Speaker, "wall", false),
        ];
        let microphone = |wanted| judge(AudioDevice::Microphone, wanted, &devices);
        assert!(microphone(None).1 && microphone(Some("the DESK")).1);
        let (text, is_good) = microphone(Some("head"));
        assert!(!is_good && text.contains("`head`") && text.contains("audio.microphone"), "{text}");
        let (text, is_good) = judge(AudioDevice::Speaker, None, &devices);
        assert!(!is_good && text.contains("audio.speaker"), "{text}");
        assert_eq!(describe(&devices[0]), "microphone `desk` (The desk, the default)");
    }

    #[test]
    fn silence_is_a_failure_and_quiet_is_not() {
        let heard = |peak, captured_ms| Heard { peak, captured_ms, problems: Vec::new() };
        let is_good =
            |heard: &Heard, is_null| tell_heard(heard, is_null).iter().all(|(_, is_good)| *is_good);
        assert!(!is_good(&heard(7, 3_000), false));
        assert!(is_good(&heard(7, 3_000), true));
        assert!(is_good(&heard(8, 3_000), false) && is_good(&heard(9_000, 3_000), false));
        assert!(!is_good(&heard(9_000, 100), false));
    }

    #[test]
    fn the_meter_is_as_wide_as_it_is_loud() {
        assert_eq!(meter(0), format!("[{}]     0", " ".repeat(CELLS)));
        assert_eq!(meter(32_767), format!("[{}] 32767", "#".repeat(CELLS)));
        assert_eq!(meter(1_036).matches('#').count(), CELLS / 2);
    }
}
