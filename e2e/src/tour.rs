//! Tours: sessions of people at their terminals, written down as pages in `docs/tours/` and replayed against the real
//! service. A step is a line, and under it the screen that the person sees when it is done:
//!
//! ````text
//! **ana** types `read news`
//! ```text
//! …
//! ```
//! ````
//!
//! `runs` starts a program on a new 80×24 terminal of hers, `types` sends a line, `presses` sends keys (`Space`, `Tab`,
//! `Enter`, `Ctrl-C`, `Ctrl-D`, `Ctrl-L`, or letters), `sees` sends nothing. Each name is a terminal with files of its
//! own; everything else on the page is prose. A step at a prompt begins on a cleared screen.
//!
//! Replaying waits for the screen that the page shows. Recording writes the page anew, and changes only what replaying would find
//! different: what is another each time (a width, a count) stays as it was written.

use crate::deployment::Deployment;
use crate::gaceta::Gaceta;
use crate::screen::Screen;
use crate::terminal::Terminal;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;
const FENCE: &str = "```";
/// Recording only: a screen that has not changed for this long is what a step leads to. Replaying waits for the screen itself.
const QUIET: Duration = Duration::from_millis(1_200);
/// The same where the page shows a screen already, which a busy machine may take a while to come to.
const QUIET_KNOWN: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Step<'a> {
    who: &'a str,
    verb: &'a str,
    what: &'a str,
}

/// Replays one page.
pub async fn replay(page: &Path, deployment: &Deployment) {
    walk(page, deployment, false).await;
}

/// Writes one page anew.
pub async fn record(page: &Path, deployment: &Deployment) {
    let recorded = walk(page, deployment, true).await;
    std::fs::write(page, recorded).unwrap();
}

/// Takes all steps of a page. Returns the page with what was to be seen.
async fn walk(page: &Path, deployment: &Deployment, records: bool) -> String {
    let text = std::fs::read_to_string(page).unwrap();
    let mut people = People { deployment, terminals: HashMap::new() };
    let mut walked = String::new();
    let mut lines = text.lines().peekable();
    let mut steps = 0;
    while let Some(line) = lines.next() {
        walked += &format!("{line}\n");
        let Some(step) = step(line) else { continue };
        steps += 1;
        let is_shown = lines.next_if(|line| line.starts_with(FENCE)).is_some();
        let shown = is_shown.then(|| {
            let shown: Vec<&str> = lines.by_ref().take_while(|line| *line != FENCE).collect();
            shown.join("\n")
        });
        people.act(&step).await;
        let seen = match (records, shown) {
            (true, shown) => people.records(&step, shown.as_deref()).await,
            (false, shown) => people.sees(&step, shown.unwrap_or_default()).await,
        };
        walked += &format!("{FENCE}text\n{seen}\n{FENCE}\n");
    }
    assert!(steps > 0, "{} has no steps", page.display());
    walked
}

fn step(line: &str) -> Option<Step<'_>> {
    let (who, rest) = line.strip_prefix("**")?.split_once("** ")?;
    let (verb, what) = rest.split_once(' ').unwrap_or((rest, ""));
    let what = what.strip_prefix('`').and_then(|what| what.strip_suffix('`')).unwrap_or_default();
    matches!(verb, "runs" | "types" | "presses" | "sees").then_some(Step { who, verb, what })
}

struct People<'a> {
    deployment: &'a Deployment,
    terminals: HashMap<String, (Gaceta, Option<Terminal>)>,
}

impl People<'_> {
    async fn act(&mut self, step: &Step<'_>) {
        let agent = self.deployment.agent.address;
        let (gaceta, terminal) =
            self.terminals.entry(step.who.into()).or_insert_with(|| (Gaceta::at(agent), None));
        match step.verb {
            "runs" => {
                if let Some(mut before) = terminal.take() {
                    before.ends().await;
                }
                let words = shlex::split(step.what).unwrap();
                assert_eq!(words.first().map(String::as_str), Some("gaceta"), "{step:?}");
                let args: Vec<&str> = words[1..].iter().map(String::as_str).collect();
                let mut command = gaceta.command(&args);
                command.env("USER", "someone");
                *terminal = Some(Terminal::start_sized(&command, ROWS, COLUMNS));
            }
            verb => {
                let Some(terminal) = terminal else { panic!("{}: nothing runs: {step:?}", step.who) };
                match verb {
                    "types" => {
                        if at_prompt(&terminal.screen()) {
                            terminal.type_keys("\x0c").await;
                            terminal
                                .shows_screen("a cleared screen", |s| s.cursor.0 == 0 && at_prompt(s))
                                .await;
                        }
                        terminal.type_line(step.what).await;
                    }
                    "presses" => terminal.type_keys(keys(step.what)).await,
                    _ => {}
                }
            }
        }
    }

    fn terminal(&mut self, who: &str) -> &mut Terminal {
        self.terminals.get_mut(who).and_then(|(_, terminal)| terminal.as_mut()).unwrap()
    }

    /// The screen that the page shows, when it was to be seen.
    async fn sees(&mut self, step: &Step<'_>, shown: String) -> String {
        let what = format!("after {step:?} this screen\n{shown}\n(TOUR_UPDATE=1 records the tours anew)");
        let wanted = comparable(&shown);
        self.terminal(step.who).shows_screen(&what, |screen| comparable(&screen.text()) == wanted).await;
        shown
    }

    /// The screen to write under this step: what the page shows, if replaying would be content with it.
    async fn records(&mut self, step: &Step<'_>, shown: Option<&str>) -> String {
        let quiet = if shown.is_some() { QUIET_KNOWN } else { QUIET };
        let wanted = shown.map(comparable);
        let is_known =
            |screen: &Screen| wanted.as_ref().is_some_and(|wanted| comparable(&screen.text()) == *wanted);
        let screen = self.terminal(step.who).settles(quiet, is_known).await;
        shown.filter(|_| is_known(&screen)).map_or_else(|| plain(&screen.text()), str::to_owned)
    }
}

/// Whether the line editor waits for a line, with nothing typed yet.
fn at_prompt(screen: &Screen) -> bool {
    let (row, column) = screen.cursor;
    let row = &screen.rows[usize::from(row)];
    row.ends_with('>') && row.chars().count() + 1 == usize::from(column)
}

fn keys(what: &str) -> &str {
    match what {
        "Space" => " ",
        "Enter" => "\r",
        "Tab" => "\t",
        "Ctrl-C" => "\x03",
        "Ctrl-D" => "\x04",
        "Ctrl-L" => "\x0c",
        letters => letters,
    }
}

/// The screen as far as it is the same each time: on a busy machine a prompt may come without its count, people are told
/// what they wait for, and a longer time makes a column of a table wider, and the last one shorter.
fn comparable(screen: &str) -> String {
    let told = |line: &&str| !line.starts_with("… ");
    let lines = plain(screen).lines().filter(told).map(str::to_owned).collect::<Vec<_>>().join("\n");
    replaced(lines, &[(r" \d+ unread>", ">"), (r"(?m)\S*…$", "…"), (" {2,}", " ")])
}

/// The screen without what is different each time: times, ports, ids, directories, durations.
fn plain(screen: &str) -> String {
    let plain = replaced(
        screen.to_owned(),
        &[
            (r"\b\d{4}-\d\d-\d\d\b", "DATE"),
            (r"\b\d\d:\d\d(:\d\d)?\b", "TIME"),
            (r"just now|\b\d+ (s|min) ago|\bin \d+ (days|h)|DATE, TIME", "just now"),
            (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
            (r#""id": "[0-9a-f-]+…"#, r#""id": "…"#),
            (r"127\.0\.0\.1:\d{5}( +)\d+( +)\d+", "127.0.0.1:50000${1}1${2}1"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:50000"),
            (r"/tmp/\.tmp\w+", "HOME"),
            (r"someone@\S+", "someone@host"),
        ],
    );
    let lines: Vec<&str> = plain.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

fn replaced(text: String, patterns: &[(&str, &str)]) -> String {
    let replace = |text: String, (pattern, instead): &(&str, &str)| {
        regex::Regex::new(pattern).unwrap().replace_all(&text, *instead).into_owned()
    };
    patterns.iter().fold(text, replace)
}
