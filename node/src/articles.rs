//! Posting, deleting, reading and verifying: what a node does with articles.

use crate::Node;
use db::articles::{NewPost, Page, State};
use db::reading::{From, Read};
use db::subscriptions::Shown;
use server::{Failure, token_hash};
use wire::limits::{BODY_BYTES_MAX, PAGE_ARTICLES_MAX, POSTS_PER_REQUEST_MAX, SEQ_MAX};
use wire::{
    AreaId, Article, ErrorCode, ErrorReply, NodeReply, Post, Posted, ReadFrom, Seq, Token, VerifiedState,
    VerifyPage,
};

/// Checks each post, commits the good ones with whatever else is posted just then, and answers for each.
pub async fn post(node: &Node, token: Option<Token>, posts: Vec<Post>) -> Result<NodeReply, Failure> {
    let token = token_hash(token)?;
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
        .map(|(post, _)| NewPost { token, area_id: post.area_id.0, id: post.id, body: post.body })
        .collect();
    let mut committed = node.lanes.commit(accepted).await?.into_iter();
    for result in results.iter_mut().filter(|result| result.is_none()) {
        *result = committed.next();
    }
    let lost = || Err(ErrorReply::unavailable("the post got no answer: a repeat is safe"));
    Ok(NodeReply::Posted { results: results.into_iter().map(|result| result.unwrap_or_else(lost)).collect() })
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

pub async fn delete(
    node: &Node,
    token: Option<Token>,
    area_id: AreaId,
    seq: Seq,
) -> Result<NodeReply, Failure> {
    let already = db::articles::delete(&node.db, &token_hash(token)?, area_id.0, seq).await?;
    Ok(NodeReply::Deleted { already })
}

pub async fn read(
    node: &Node,
    token: Option<Token>,
    area_id: AreaId,
    from: ReadFrom,
    limit: u32,
    shown: Option<wire::Shown>,
) -> Result<NodeReply, Failure> {
    let from = match from {
        ReadFrom::Unread => From::Unread,
        ReadFrom::Start => From::Start,
        ReadFrom::After(seq) => From::After(checked_seq(seq)?),
    };
    let read = Read {
        token: token_hash(token)?,
        area_id: area_id.0,
        from,
        shown: shown.map(shown_of).transpose()?,
        rows_max: limit.clamp(1, PAGE_ARTICLES_MAX).into(),
        notes_use: false, // the agent that told him where to read has noted it
    };
    Ok(NodeReply::Page(page_of(node.readers.read(read).await?.page)))
}

pub async fn verify(
    node: &Node,
    token: Option<Token>,
    area_id: AreaId,
    after: Seq,
) -> Result<NodeReply, Failure> {
    let after = checked_seq(after)?;
    let found = db::articles::verify(&node.db, &token_hash(token)?, area_id.0, after).await?;
    let state_of = |state| match state {
        State::Kept => VerifiedState::Kept,
        State::Deleted => VerifiedState::Deleted,
        State::Expired => VerifiedState::Expired,
        State::Missing => VerifiedState::Missing,
        State::Damaged => VerifiedState::Damaged,
    };
    Ok(NodeReply::Verified(VerifyPage {
        from: after + 1,
        states: found.states.into_iter().map(state_of).collect(),
        last_seq: found.last_seq,
        expired_through: found.expired_through,
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
    Ok(Shown {
        from: checked_seq(shown.from)?,
        upto: checked_seq(shown.upto)?,
        generation: shown.generation,
        reading_id: shown.reading_id,
    })
}

pub(crate) fn page_of(page: Page) -> wire::Page {
    wire::Page {
        area_id: AreaId(page.area_id),
        from: page.from,
        more: page.upto < page.last_seq,
        upto: page.upto,
        generation: page.generation,
        cursor: page.cursor,
        last_seq: page.last_seq,
        expired_through: page.expired_through,
        articles: page.articles.into_iter().map(article_of).collect(),
        deleted: page.deleted,
    }
}

pub(crate) fn article_of(article: db::articles::Article) -> Article {
    Article {
        seq: article.seq,
        id: article.id,
        author: article.author,
        posted_at_us: article.posted_at_us,
        body: article.body,
    }
}
