//! Who asks. Made by `dispatch` for each request, and given to its handler.

use crate::Failure;
use db::TokenHash;
use std::net::SocketAddr;
use uuid::Uuid;
use wire::{ErrorCode, ErrorReply, Token};

/// What every handler may know of a request besides its own record.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// Ties the logs of both sides together; the same for each attempt of one request.
    pub request_id: Uuid,
    pub peer: SocketAddr,
    pub token: Option<Token>,
}

impl Caller {
    /// The hash by which the database knows the session; without a token there is none.
    pub fn token_hash(&self) -> Result<TokenHash, Failure> {
        token_hash(self.token)
    }
}

/// As [`Caller::token_hash`], for a token alone.
pub fn token_hash(token: Option<Token>) -> Result<TokenHash, Failure> {
    match token {
        Some(token) => Ok(TokenHash::of(&token.0)),
        None => {
            Err(ErrorReply::new(ErrorCode::Unauthenticated, "not logged in: log in or register first").into())
        }
    }
}
