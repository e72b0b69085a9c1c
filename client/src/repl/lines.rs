//! The thread that reads lines: rustyline blocks, and nobody waits for it when the prompt ends.

use super::complete::Completion;
use super::history::LINES_MAX;
use anyhow::Context as _;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor, ExternalPrinter};
use std::sync::mpsc;
use tokio::sync::oneshot;

pub type Read = Result<String, ReadlineError>;

pub struct Lines {
    requests: mpsc::Sender<Request>,
}

struct Request {
    prompt: String,
    /// For the arrow keys.
    remember: Option<String>,
    answer: oneshot::Sender<Read>,
}

impl Lines {
    /// `history`: what the arrow keys find, oldest first. Returns also what prints above a line that is being edited,
    /// where the terminal can do that.
    pub fn start(
        completion: Completion,
        history: Vec<String>,
    ) -> anyhow::Result<(Self, Option<impl ExternalPrinter + Send + 'static>)> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(LINES_MAX)
            .context("no history")?
            .auto_add_history(false)
            .build();
        let mut editor: Editor<Completion, DefaultHistory> =
            Editor::with_config(config).context("cannot use this terminal")?;
        editor.set_helper(Some(completion));
        for line in history {
            let _ = editor.add_history_entry(line); // in memory: nothing that could fail
        }
        let printer = editor.create_external_printer().ok();
        let (requests, received) = mpsc::channel::<Request>();
        let read = move || {
            for request in received {
                if let Some(line) = request.remember {
                    let _ = editor.add_history_entry(line);
                }
                if request.answer.send(editor.readline(&request.prompt)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("prompt".into()).spawn(read).context("cannot start the prompt")?;
        Ok((Self { requests }, printer))
    }

    pub fn next(&self, prompt: String, remember: Option<String>) -> anyhow::Result<oneshot::Receiver<Read>> {
        let (answer, line) = oneshot::channel();
        let request = Request { prompt, remember, answer };
        self.requests.send(request).ok().context("the prompt's thread has ended")?;
        Ok(line)
    }
}
