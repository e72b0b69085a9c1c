//! `read` without an area, for a person at a terminal: through all areas with unread news, one article after the other,
//! each step on one key, as slrn does it.
//!
//! The cursor moves only over what was shown (I3). Marks are sent for some articles together, and always before the area,
//! or the walk, is left; what a crash loses of them is shown again, nothing else.

mod sheet;

use crate::command::PostArgs;
use crate::execute::areas::{has_news, subscriptions};
use crate::execute::reading::steps::{is_over, joined_to, mark_area, move_cursor, note_over, page, reading};
use crate::execute::{lines, posting};
use crate::exit::{Failure, Kind};
use crate::outcome::{Expired, Item, Outcome};
use crate::service::outage;
use crate::service::session::Located;
use crate::service::tell::{Tell, Told};
use crate::session::Session;
use crate::stop::Stop;
use crate::terminal::Key;
use sheet::{Position, Seen, Sheet};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;
use uuid::Uuid;
use wire::{AreaRef, Page, ReadFrom, Seq, Shown, SubscriptionSummary};

/// Articles that are fetched at once: some minutes of reading, and few enough to come at once.
const FETCH_ARTICLES: u32 = 50;
/// What is marked at once: so many articles at most are shown again after a crash.
const MARK_ARTICLES: usize = 10;
/// How far one can go back in an area.
const BACK_ARTICLES_MAX: usize = 500;
/// The last mark must not keep anybody from leaving who was told to.
const LEAVE_WAIT: Duration = Duration::from_secs(2);

pub async fn walk(session: &Session, stop: &Stop) -> Result<Outcome, Failure> {
    let replying = Mutex::new(());
    let mut walk = Walk {
        session,
        stop,
        replying: &replying,
        sheet: Sheet::new(&session.output),
        unmarked: None,
        left_unread: Vec::new(),
    };
    let stopped = async {
        let failure = stop.raised().await;
        let _done = replying.lock().await;
        failure
    };
    let walked = tokio::select! {
        biased;
        walked = walk.areas() => walked,
        failure = stopped => Err(failure),
    };
    walk.sheet.put_away();
    let stopped = matches!(&walked, Err(failure) if matches!(failure.kind, Kind::Interrupted(_)));
    let marked = if stopped {
        session.progressed();
        timeout(LEAVE_WAIT, walk.mark()).await.unwrap_or(Ok(()))
    } else {
        walk.mark().await
    };
    let outcome = walked?;
    marked?;
    Ok(outcome)
}

struct Walk<'a> {
    session: &'a Session,
    stop: &'a Stop,
    /// Held while a reply is written and sent, which hears of `stop` itself: it is not broken off before it has said where the
    /// text is (I1).
    replying: &'a Mutex<()>,
    sheet: Sheet,
    unmarked: Option<Unmarked>,
    /// Names of areas that were skipped.
    left_unread: Vec<String>,
}

/// What was shown of one area since the last mark.
struct Unmarked {
    located: Located,
    shown: Shown,
    articles: usize,
}

/// One area, and where one is in it.
struct Place {
    located: Located,
    entries: Vec<Entry>,
    /// Articles that were in it before those.
    forgotten: usize,
    /// The entry that is shown now.
    at: usize,
    from: ReadFrom,
    /// Everything up to here was shown.
    reached: Option<Seq>,
    reading_id: Uuid,
    position: Position,
}

/// An item, and the numbers of which all is known once it was shown.
struct Entry {
    item: Item,
    shown: Shown,
}

enum Next {
    Area,
    Leave,
}

impl Walk<'_> {
    async fn areas(&mut self) -> Result<Outcome, Failure> {
        let subscribed = subscriptions(self.session).await?;
        let count = subscribed.len();
        let unread: Vec<SubscriptionSummary> = subscribed.into_iter().filter(has_news).collect();
        if unread.is_empty() {
            return Ok(Outcome::NothingUnread { subscriptions: count });
        }
        let nodes = self.session.any_nodes().await?;
        let areas = unread.len();
        for (index, area) in unread.into_iter().enumerate() {
            self.sheet.header(&area.name, area.unread, index + 1, areas).await?;
            let located = Located {
                area: AreaRef { area_id: area.area_id, name: area.name.clone() },
                nodes: nodes.clone(),
            };
            let position = Position { area: area.name, article: 0, articles: area.unread.max(0) as usize };
            match self.area(Place::new(located.clone(), position)).await {
                Ok(Next::Area) => {}
                Ok(Next::Leave) => return Ok(Outcome::Nothing),
                Err(failure) if is_over(&failure) => {
                    self.unmarked = None; // there is no cursor to move any more
                    note_over(self.session, &located.area, &failure);
                }
                Err(failure) => return Err(failure),
            }
        }
        match self.left_unread.as_slice() {
            [] => self.sheet.end("Nothing more unread.").await?,
            skipped => self.sheet.end(&format!("That is all. Skipped: {}.", skipped.join(", "))).await?,
        }
        Ok(Outcome::Nothing)
    }

    async fn area(&mut self, mut place: Place) -> Result<Next, Failure> {
        while self.fetch(&mut place).await? {
            let entry = &place.entries[place.at];
            let is_new = place.reached.is_none_or(|reached| entry.shown.upto > reached);
            place.position.article = place.number();
            place.position.articles = place.position.articles.max(place.position.article);
            let seen = self.sheet.item(&entry.item, is_new, &place.position).await?;
            if seen == Seen::Whole && is_new {
                self.was_shown(&mut place).await?;
            }
            let mut key = match seen {
                Seen::Part(key) => key,
                // Nobody has to answer for an article that is not there.
                Seen::Whole if matches!(place.entries[place.at].item, Item::Deleted(_)) => Key::Char('n'),
                Seen::Whole => self.sheet.ask(&place.position, "next").await?,
            };
            loop {
                match key {
                    Key::Char(' ' | 'n') | Key::Enter | Key::PageDown => place.at += 1,
                    Key::Char('v' | 'p') | Key::PageUp if place.back() => {}
                    Key::Char('v' | 'p') | Key::PageUp => {
                        self.sheet.note("This is the first one here.").await?;
                        if seen != Seen::Whole {
                            break;
                        }
                        key = self.sheet.ask(&place.position, "next").await?;
                        continue;
                    }
                    Key::Char('s' | 'N') => {
                        self.left_unread.push(place.located.area.name.clone());
                        self.mark_for_sure().await?;
                        return Ok(Next::Area);
                    }
                    Key::Char('c') => {
                        self.catch_up(&place).await?;
                        return Ok(Next::Area);
                    }
                    Key::Char('u') => self.undo(&mut place).await?,
                    Key::Char('r') => {
                        self.reply(&place).await?;
                        if seen != Seen::Whole {
                            break; // not passed over: shown again, from its beginning
                        }
                        key = self.sheet.ask(&place.position, "next").await?;
                        continue;
                    }
                    Key::Char('q') | Key::Closed => {
                        self.mark().await?;
                        return Ok(Next::Leave);
                    }
                    Key::Char('?') => {
                        self.sheet.help().await?;
                        key = self.sheet.ask(&place.position, "next").await?;
                        continue;
                    }
                    Key::Char(_) | Key::Redraw | Key::Other => {
                        key = self.sheet.ask(&place.position, "next").await?;
                        continue;
                    }
                }
                break;
            }
        }
        Ok(Next::Area)
    }

    /// Makes sure that there is an entry at the place. `false` at the end of the area, with everything marked.
    async fn fetch(&mut self, place: &mut Place) -> Result<bool, Failure> {
        while place.at >= place.entries.len() {
            let shown = self.unmarked.as_ref().map(|unmarked| unmarked.shown);
            let (session, from) = (self.session, place.from);
            let page =
                insist(session, async || page(session, &place.located, from, FETCH_ARTICLES, shown).await)
                    .await?;
            self.unmarked = None; // the request said it
            if page.upto < page.from {
                return Ok(false);
            }
            let (from, upto, generation, reading_id) =
                (page.from, page.upto, page.generation, place.reading_id);
            if let Some(expired) = place.add(page) {
                self.sheet.note(&expired.text(&place.located.area.name)).await?;
            }
            if place.at >= place.entries.len() {
                // All of it had expired: that was told, and nothing comes after it that would say so.
                let shown = Shown { from, upto, generation, reading_id };
                self.unmarked = Some(Unmarked { located: place.located.clone(), shown, articles: 0 });
            }
        }
        Ok(true)
    }

    async fn was_shown(&mut self, place: &mut Place) -> Result<(), Failure> {
        let entry = &place.entries[place.at];
        place.reached = Some(entry.shown.upto);
        let (before, articles) = match self.unmarked.take() {
            Some(unmarked) => (Some(unmarked.shown), unmarked.articles),
            None => (None, 0),
        };
        let shown = joined_to(before, entry.shown);
        self.unmarked = Some(Unmarked { located: place.located.clone(), shown, articles: articles + 1 });
        if articles + 1 >= MARK_ARTICLES { self.mark_for_sure().await } else { Ok(()) }
    }

    async fn mark(&mut self) -> Result<(), Failure> {
        let Some(Unmarked { located, shown, .. }) = &self.unmarked else { return Ok(()) };
        self.session.progressed();
        mark_area(self.session, located, *shown).await?;
        self.unmarked = None;
        Ok(())
    }

    /// The same, for who goes on: a service that is away for a while is no reason to leave.
    async fn mark_for_sure(&mut self) -> Result<(), Failure> {
        let session = self.session;
        insist(session, async || self.mark().await).await
    }

    async fn catch_up(&mut self, place: &Place) -> Result<(), Failure> {
        self.mark_for_sure().await?;
        let (session, located) = (self.session, &place.located);
        let moved =
            insist(session, async || move_cursor(session, &located.area, &located.nodes, false).await)
                .await?;
        let area = &located.area.name;
        let undo = lines::undo(&self.session.settings, area);
        let note = format!("{area}: read to #{}. To take it back: {undo}", moved.cursor.cursor);
        self.sheet.note(&note).await
    }

    /// Back to where the reading of this area began.
    async fn undo(&mut self, place: &mut Place) -> Result<(), Failure> {
        self.mark_for_sure().await?;
        let (session, located) = (self.session, place.located.clone());
        let moved =
            insist(session, async || move_cursor(session, &located.area, &located.nodes, true).await).await;
        let area = &located.area.name;
        match moved {
            Ok(moved) => {
                let (back, unread) = (moved.cursor.cursor, moved.cursor.unread);
                self.sheet.note(&format!("{area}: back at #{back}, {unread} unread.")).await?;
                let position = Position { articles: unread.max(0) as usize, ..place.position.clone() };
                *place = Place::new(located, position);
                Ok(())
            }
            // Another device was quicker, or nothing of it was marked: it is as it was.
            Err(failure) if failure.kind == Kind::Service(wire::ErrorCode::Conflict) => {
                self.sheet.note(&failure.message).await
            }
            Err(failure) => Err(failure),
        }
    }

    /// Posts to this area. Whatever comes of it, the walk goes on.
    async fn reply(&mut self, place: &Place) -> Result<(), Failure> {
        self.mark_for_sure().await?;
        self.sheet.put_away();
        self.session.progressed();
        let _replying = self.replying.lock().await;
        let args = PostArgs {
            area: Some(place.located.area.name.clone()),
            text: Vec::new(),
            lines: false,
            id: None,
            in_area: None,
            resume: false,
        };
        match Box::pin(posting::post(self.session, args, self.stop)).await {
            Ok(outcome) => self.session.output.show(outcome).await,
            Err(failure) if matches!(failure.kind, Kind::Interrupted(_)) => Err(failure),
            Err(failure) => {
                self.session.output.failure(&failure);
                Ok(())
            }
        }
    }
}

impl Place {
    fn new(located: Located, position: Position) -> Self {
        Self {
            located,
            entries: Vec::new(),
            forgotten: 0,
            at: 0,
            from: ReadFrom::Unread,
            reached: None,
            reading_id: Uuid::now_v7(),
            position: Position { article: 0, ..position },
        }
    }

    /// Returns what of it had expired.
    fn add(&mut self, page: Page) -> Option<Expired> {
        let forgotten = self.at.saturating_sub(BACK_ARTICLES_MAX);
        self.forgotten += self.entries.drain(..forgotten).filter(Entry::is_article).count();
        self.at -= forgotten;
        self.from = ReadFrom::After(page.upto);
        let (generation, reading_id, upto) = (page.generation, self.reading_id, page.upto);
        let mut from = page.from;
        let reading = reading(&self.located.area.name, page);
        let items = reading.items();
        let last = items.len();
        for (index, item) in items.into_iter().enumerate() {
            let upto = if index + 1 == last { upto } else { item.seq() };
            self.entries.push(Entry { item, shown: Shown { from, upto, generation, reading_id } });
            from = upto + 1;
        }
        reading.expired()
    }

    /// Of the article that is shown now, from 1.
    fn number(&self) -> usize {
        self.forgotten + self.entries[..=self.at].iter().filter(|entry| entry.is_article()).count()
    }

    /// To the article before. `false` when there is none.
    fn back(&mut self) -> bool {
        match self.entries[..self.at].iter().rposition(Entry::is_article) {
            Some(before) => {
                self.at = before;
                true
            }
            None => false,
        }
    }
}

impl Entry {
    fn is_article(&self) -> bool {
        matches!(self.item, Item::Article(_))
    }
}

/// Nobody is asked to try again what can be tried again: it goes on when the service is back, or Ctrl-C leaves.
async fn insist<T>(
    session: &Session,
    mut work: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let output = session.output.clone();
    let tell = Tell::new(move |told| match told {
        Told::Away(why) => {
            output.note(&format!("Waiting for the service ({why}); goes on by itself, Ctrl-C leaves."));
        }
        Told::Back => output.note("The service is back."),
        _ => {}
    });
    outage::insist(tell, Failure::is_retryable, async || {
        session.progressed();
        work().await
    })
    .await
}
