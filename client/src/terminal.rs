//! Questions to a person: passwords without echo, texts up to Ctrl-D, single keys; and what comes through a pipe instead.
//!
//! The terminal is read through a descriptor of our own that does not block: a command that is cancelled stops reading
//! at once, and no forgotten thread takes the next line away from the prompt. Line editing and Ctrl-C stay the
//! kernel's; whatever was changed is changed back when the question is dropped.

use crate::child::detached;
use crate::exit::{Failure, Kind};
use crate::render::Output;
use crate::settings::Settings;
use anyhow::Context as _;
use rustix::fs::OFlags;
use rustix::process::Signal;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use wire::limits::PASSWORD_BYTES_MAX;
use wire::{ErrorCode, Password};

/// How often a new password may be mistyped the second time.
const NEW_PASSWORD_TRIES: u32 = 3;
/// What the kernel gives at once.
const READ_STEP_BYTES: usize = 4096;

/// An existing password.
pub async fn password(settings: &Settings, from_stdin: bool, prompt: &str) -> Result<Password, Failure> {
    if from_stdin {
        return stdin_text(PASSWORD_BYTES_MAX + 1).await.and_then(one_password);
    }
    check_may_ask(settings, "--password-stdin")?;
    ask(prompt).await
}

/// A new password: typed twice.
pub async fn new_password(settings: &Settings, from_stdin: bool, prompt: &str) -> Result<Password, Failure> {
    if from_stdin {
        return password(settings, true, prompt).await;
    }
    check_may_ask(settings, "--password-stdin")?;
    for _ in 0..NEW_PASSWORD_TRIES {
        let first = ask(prompt).await?;
        if first == ask("The same once more").await? {
            return Ok(first);
        }
        Output::on_terminal("These two differ.\n");
    }
    Err(Failure::invalid("no new password: the two differed each time"))
}

/// For changing one's own.
pub async fn old_and_new_password(
    settings: &Settings,
    from_stdin: bool,
) -> Result<(Password, Password), Failure> {
    if from_stdin {
        let text = stdin_text(2 * (PASSWORD_BYTES_MAX + 1)).await?;
        return match text.split_once('\n') {
            Some((old, new)) => Ok((one_password(old.to_owned())?, one_password(new.to_owned())?)),
            None => {
                Err(Failure::usage("--password-stdin takes two lines: the old password, then the new one"))
            }
        };
    }
    let old = password(settings, false, "Old password").await?;
    let new = new_password(settings, false, "New password").await?;
    Ok((old, new))
}

fn check_may_ask(settings: &Settings, instead: &str) -> Result<(), Failure> {
    if settings.no_input || !io::stdin().is_terminal() {
        let why =
            format!("nobody can be asked for a password here: give it on standard input with {instead}");
        return Err(Failure::usage(why));
    }
    Ok(())
}

fn one_password(text: String) -> Result<Password, Failure> {
    let text = text.strip_suffix('\n').map_or(text.clone(), str::to_owned);
    match text.len() {
        0 => Err(Failure::usage("the password is empty")),
        bytes if bytes > PASSWORD_BYTES_MAX => {
            Err(Failure::service(ErrorCode::TooLarge, "a password has at most 1024 bytes"))
        }
        _ => Ok(Password(text)),
    }
}

async fn stdin_text(bytes_max: usize) -> Result<String, Failure> {
    String::from_utf8(read_stdin(bytes_max).await?).map_err(|_| Failure::invalid("the password is not UTF-8"))
}

/// All of standard input, or a little more than `bytes_max` of it, so that the caller sees that it is too much.
pub async fn read_stdin(bytes_max: usize) -> Result<Vec<u8>, Failure> {
    if io::stdin().is_terminal() {
        return read_text(bytes_max).await;
    }
    let read = detached(move || {
        let mut bytes = Vec::new();
        io::stdin().lock().take(bytes_max as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    let bytes = read.await.context("cannot read standard input")?;
    check_size(bytes, bytes_max)
}

/// Lines from the terminal, up to Ctrl-D.
pub async fn read_text(bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut terminal = Terminal::open()?;
    let mut bytes = Vec::new();
    while bytes.len() <= bytes_max {
        let chunk = terminal.read().await?;
        if chunk.is_empty() {
            break;
        }
        bytes.extend(chunk);
    }
    check_size(bytes, bytes_max)
}

pub fn check_size(bytes: Vec<u8>, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    if bytes.len() > bytes_max {
        let why = format!("the text is over {} KiB: nothing was sent", bytes_max / 1024);
        return Err(Failure::service(ErrorCode::TooLarge, why));
    }
    Ok(bytes)
}

async fn ask(prompt: &str) -> Result<Password, Failure> {
    let mut terminal = Terminal::open()?;
    let _hidden = terminal.without_echo()?;
    Output::on_terminal(&format!("{prompt}: "));
    let answer = {
        let _line = EndsLine;
        terminal.read().await
    };
    let text = String::from_utf8(answer?).map_err(|_| Failure::invalid("the password is not UTF-8"))?;
    if text.is_empty() {
        return Err(Failure::new(Kind::Local, "no password was given")); // Ctrl-D
    }
    one_password(text)
}

/// Ends the line of a question when it is dropped: the person's own newline was not echoed, and Ctrl-C has none.
struct EndsLine;

impl Drop for EndsLine {
    fn drop(&mut self) {
        Output::on_terminal("\n");
    }
}

struct Terminal {
    /// Not a pipe, but read in the same way: without blocking, when there is something.
    file: Receiver,
}

impl Terminal {
    fn open() -> anyhow::Result<Self> {
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
        let open = |path| File::options().read(true).custom_flags(flags).open(path);
        // Without a controlling terminal standard input may still be one.
        let file = open("/dev/tty").or_else(|_| open("/dev/fd/0")).context("cannot open the terminal")?;
        Ok(Self { file: Receiver::from_file_unchecked(file).context("cannot wait for the terminal")? })
    }

    /// One line with its newline, or less when Ctrl-D ends it; empty at the end.
    async fn read(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut buffer = [0; READ_STEP_BYTES];
        loop {
            self.file.readable().await.context("cannot wait for the terminal")?;
            // Not `read`: of less than it asked for it concludes that there is no more, as is so with pipes. Of a terminal
            // a line is always less, and the end may wait behind it already.
            match self.file.try_read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Ok(buffer[..read.context("cannot read the terminal")?].to_vec()),
            }
        }
    }

    fn modes(&self) -> io::Result<Modes> {
        Modes::of(self.file.as_fd().try_clone_to_owned()?.into())
    }

    fn without_echo(&self) -> anyhow::Result<Modes> {
        let modes = self.modes().context("cannot hide what is typed")?;
        let mut hidden = modes.termios.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&modes.terminal, OptionalActions::Flush, &hidden).context("cannot hide what is typed")?;
        Ok(modes)
    }
}

/// What a person does instead of typing a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Enter,
    PageDown,
    PageUp,
    /// The window has another size, or we are in the foreground again: what is on the screen is to be drawn anew.
    Redraw,
    /// The terminal is gone.
    Closed,
    Other,
}

/// Keys, one at a time. Ctrl-C stays a signal. The terminal is as it was when this is dropped.
pub struct Keys {
    terminal: Terminal,
    modes: Modes,
    how: Typing,
    typed: VecDeque<u8>,
    resized: Signals,
    continued: Signals,
    closed: Signals,
}

/// How keys come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// As they are pressed, unseen.
    Keys,
    /// The first of each line, seen: for terminals that are a part of something else (TERM=dumb).
    Lines,
}

impl Keys {
    pub fn open(how: Typing) -> anyhow::Result<Self> {
        let terminal = Terminal::open()?;
        let modes = terminal.modes().context("cannot read keys")?;
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let keys = Self {
            terminal,
            modes,
            how,
            typed: VecDeque::new(),
            resized: listen(SignalKind::window_change())?,
            continued: listen(SignalKind::from_raw(Signal::CONT.as_raw()))?,
            closed: listen(SignalKind::hangup())?,
        };
        keys.set()?;
        Ok(keys)
    }

    fn set(&self) -> anyhow::Result<()> {
        if self.how == Typing::Lines {
            return Ok(());
        }
        let mut single = self.modes.termios.clone();
        single.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
        single.local_modes.insert(LocalModes::ISIG);
        single.special_codes[SpecialCodeIndex::VMIN] = 1;
        single.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What is typed already stays: who types ahead means it.
        tcsetattr(&self.modes.terminal, OptionalActions::Now, &single).context("cannot read keys")
    }

    pub async fn next(&mut self) -> anyhow::Result<Key> {
        loop {
            if let Some(key) = key(&mut self.typed, self.how) {
                return Ok(key);
            }
            tokio::select! {
                // A terminal that was closed is an error here.
                read = self.terminal.read() => match read {
                    Ok(bytes) if !bytes.is_empty() => self.typed.extend(bytes),
                    _ => return Ok(Key::Closed),
                },
                _ = self.resized.recv() => return Ok(Key::Redraw),
                _ = self.continued.recv() => {
                    self.set()?; // the shell had the terminal in between
                    return Ok(Key::Redraw);
                }
                _ = self.closed.recv() => return Ok(Key::Closed),
            }
        }
    }
}

/// Takes the next key, if it is there as a whole.
fn key(typed: &mut VecDeque<u8>, how: Typing) -> Option<Key> {
    if how == Typing::Lines {
        let end = typed.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = typed.drain(..=end).collect();
        return Some(char_key(line[0]));
    }
    let first = *typed.front()?;
    if first != 0x1b {
        typed.pop_front();
        return Some(char_key(first));
    }
    // ESC [ … final byte, or ESC O one byte; otherwise ESC alone, which is none of ours.
    let sequence: Vec<u8> = typed.iter().copied().skip(1).collect();
    let bytes = match sequence.first()? {
        b'[' => 1 + sequence[1..].iter().position(|byte| (0x40..=0x7e).contains(byte))?,
        b'O' if sequence.len() < 2 => return None,
        b'O' => 1,
        _ => {
            typed.pop_front();
            return Some(Key::Other);
        }
    };
    typed.drain(..bytes + 2);
    Some(match &sequence[..=bytes] {
        b"[6~" => Key::PageDown,
        b"[5~" => Key::PageUp,
        b"[B" | b"OB" => Key::Enter,
        _ => Key::Other,
    })
}

fn char_key(byte: u8) -> Key {
    match byte {
        b'\n' | b'\r' => Key::Enter,
        b' '..=b'~' => Key::Char(char::from(byte)),
        0x04 => Key::Char('q'), // Ctrl-D leaves, here as everywhere
        _ => Key::Other,
    }
}

/// How a terminal was set; set again when dropped.
pub struct Modes {
    terminal: File,
    termios: Termios,
}

impl Modes {
    fn of(terminal: File) -> io::Result<Self> {
        let termios = tcgetattr(&terminal)?;
        Ok(Self { terminal, termios })
    }

    /// Of standard input, when it is a terminal.
    pub fn of_stdin() -> Option<Self> {
        let terminal = io::stdin().as_fd().try_clone_to_owned().ok()?;
        Self::of(terminal.into()).ok()
    }
}

impl Drop for Modes {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.termios);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_final_newline_is_not_part_of_a_password() {
        assert_eq!(one_password("secret\n".into()).unwrap(), Password("secret".into()));
        assert_eq!(one_password(" secret \n\n".into()).unwrap(), Password(" secret \n".into()));
        assert_eq!(one_password("\n".into()).unwrap_err().exit_code(), 2);
        assert_eq!(one_password("x".repeat(1025)).unwrap_err().name(), "too_large");
    }

    #[test]
    fn keys_come_whole_and_in_order() {
        let keys = |typed: &[u8], how| {
            let mut typed: VecDeque<u8> = typed.iter().copied().collect();
            std::iter::from_fn(|| key(&mut typed, how)).collect::<Vec<_>>()
        };
        let typed = keys(b" q\r\x1b[6~\x1b[A\x1bOBx\x1b[5", Typing::Keys);
        let (space, q, x) = (Key::Char(' '), Key::Char('q'), Key::Char('x'));
        assert_eq!(typed, [space, q, Key::Enter, Key::PageDown, Key::Other, Key::Enter, x]);
        assert_eq!(keys(b"\nquit\n n", Typing::Lines), [Key::Enter, q]);
        assert_eq!(keys("é".as_bytes(), Typing::Keys), [Key::Other, Key::Other]);
    }

    #[test]
    fn nobody_is_asked_where_nobody_is() {
        let settings = Settings { no_input: true, ..Settings::new("/nowhere".into()) };
        let failure = check_may_ask(&settings, "--password-stdin").unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert!(failure.message.contains("--password-stdin"));
    }
}
