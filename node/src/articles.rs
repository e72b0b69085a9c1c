//! Posting, deleting, reading and verifying: what a node does with articles.

use crate::Node;
use db::articles::{NewPost, Page, State};
use db::reading::{From, Read};
use db::subscriptions::Shown;
use server::{Caller, Failure};
use wire::limits::{BODY_BYTES_MAX, PAGE_ARTICLES_MAX, POSTS_PER_REQUEST_MAX, SEQ_MAX};
use wire::{
    AreaId, Article, ErrorCode, ErrorReply, NodeReply, Post, Posted, ReadFrom, Seq, VerifiedState, VerifyPage,
};

/// Checks each post, commits the good ones with whatever else is posted just then, and answers for each.
pub async fn post(node: &Node, caller: &Caller, request: wire::PostBatch) -> Result<NodeReply, Failure> {
    let wire::PostBatch { posts } = request;
    let token = caller.token_hash()?;
    let text = || format!("a request posts 1 to {POSTS_PER_REQUEST_MAX} articles, not {}", posts.len());
    if posts.is_empty() {
        return Err(ErrorReply::invalid(text()).into());
    }
    if posts.len() > POSTS_PER_REQUEST_MAX {
        return Err(ErrorReply::new(ErrorCode::TooLarge, text()).into());
    }
    let body_bytes_max = node.live.settings().body_bytes_max.unsigned_abs() as usize;
    let mut results: Vec<Option<Result<Posted, ErrorReply>>> = vec![];
    for post in &posts {
        let mut checked = check(post, body_bytes_max);
        // A post that was accepted under a wider limit is a post, and its repeat must hear so (I1).
        if checked.is_err()
            && check(post, BODY_BYTES_MAX).is_ok()
            && db::articles::is_posted(&node.db, &token, post.area_id.0, post.id).await?
        {
            checked = Ok(());
        }
        results.push(checked.err().map(Err));
    }
    let accepted = posts
        .into_iter()
        .zip(&results)
        .filter(|(_, refused)| refused.is_none())
        .map(|(post, _)| {
            let Post { area_id, id, body } = post;
            NewPost { token, area_id: area_id.0, id, body }
        })
        .collect();
    let mut committed = node.lanes.commit(accepted).await?.into_iter();
    for result in results.iter_mut().filter(|result| result.is_none()) {
        *result = committed.next();
    }
    let lost = || Err(ErrorReply::unavailable("the post got no answer: a repeat is safe"));
    Ok(NodeReply::Posted(wire::PostedBatch {
        results: results.into_iter().map(|result| result.unwrap_or_else(lost)).collect(),
    }))
}

fn check(post: &Post, body_bytes_max: usize) -> Result<(), ErrorReply> {
    if post.body.trim().is_empty() {
        return Err(ErrorReply::invalid("an article cannot be empty"));
    }
    if post.body.len() > body_bytes_max {
        let text = format!("an article has at most {body_bytes_max} bytes, this one has {}", post.body.len());
        return Err(ErrorReply::new(ErrorCode::TooLarge, text));
    }
    if post.body.contains('\0') {
        return Err(ErrorReply::invalid("an article is text: it cannot hold a NUL character"));
    }
    Ok(())
}

pub async fn delete(node: &Node, caller: &Caller, request: wire::Delete) -> Result<NodeReply, Failure> {
    let wire::Delete { area_id, seq } = request;
    let already = db::articles::delete(&node.db, &caller.token_hash()?, area_id.0, seq).await?;
    Ok(NodeReply::Deleted(wire::Deleted { already }))
}

pub async fn read(node: &Node, caller: &Caller, request: wire::Read) -> Result<NodeReply, Failure> {
    let wire::Read { area_id, from, limit, shown } = request;
    let from = match from {
        ReadFrom::Unread => From::Unread,
        ReadFrom::Start => From::Start,
        ReadFrom::After(seq) => From::After(checked_seq(seq)?),
        ReadFrom::Other(number) => {
            return Err(ErrorReply::unknown_value("place to read from", number).into());
        }
    };
    let read = Read {
        token: caller.token_hash()?,
        area_id: area_id.0,
        from,
        shown: shown.map(shown_of).transpose()?,
        rows_max: limit.clamp(1, PAGE_ARTICLES_MAX).into(),
        notes_use: false, // the agent that told him where to read has noted it
    };
    Ok(NodeReply::Page(page_of(node.readers.read(read).await?.page)))
}

pub async fn verify(node: &Node, caller: &Caller, request: wire::Verify) -> Result<NodeReply, Failure> {
    let wire::Verify { area_id, after } = request;
    let after = checked_seq(after)?;
    let db::articles::Verified { states, last_seq, expired_through } =
        db::articles::verify(&node.db, &caller.token_hash()?, area_id.0, after).await?;
    let state_of = |state| match state {
        State::Kept => VerifiedState::Kept,
        State::Deleted => VerifiedState::Deleted,
        State::Expired => VerifiedState::Expired,
        State::Missing => VerifiedState::Missing,
        State::Damaged => VerifiedState::Damaged,
    };
    Ok(NodeReply::Verified(VerifyPage {
        from: after + 1,
        states: states.into_iter().map(state_of).collect(),
        last_seq,
        expired_through,
    }))
}

/// Numbers beyond any article's are refused before they are added to anything.
pub(crate) fn checked_seq(seq: Seq) -> Result<Seq, ErrorReply> {
    if (0..=SEQ_MAX).contains(&seq) {
        return Ok(seq);
    }
    Err(ErrorReply::invalid(format!("an article's number is between 0 and {SEQ_MAX}, not {seq}")))
}

pub(crate) fn shown_of(shown: wire::Shown) -> Result<Shown, ErrorReply> {
    let wire::Shown { from, upto, generation, reading_id } = shown;
    Ok(Shown { from: checked_seq(from)?, upto: checked_seq(upto)?, generation, reading_id })
}

pub(crate) fn page_of(page: Page) -> wire::Page {
    let Page { area_id, from, upto, generation, cursor, last_seq, expired_through, articles, deleted } = page;
    wire::Page {
        area_id: AreaId(area_id),
        from,
        upto,
        generation,
        cursor,
        last_seq,
        expired_through,
        articles: articles.into_iter().map(article_of).collect(),
        deleted,
        more: upto < last_seq,
    }
}

pub(crate) fn article_of(article: db::articles::Article) -> Article {
    let db::articles::Article { seq, id, author, posted_at_us, body } = article;
    Article { seq, id, author, posted_at_us, body }
}
