//! The servers behind addresses: every address of every name, in the order in which they are asked.

use super::failure::Failure;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;
use wire::ErrorCode;

/// A name server that takes longer is tried again in the next round.
const RESOLVE_WAIT: Duration = Duration::from_secs(2);

/// One server that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// As it was given; of a name with several addresses there are several candidates.
    pub address: String,
    pub socket: SocketAddr,
}

/// Every address behind one name.
pub async fn resolve(address: &str) -> Result<Vec<Candidate>, Failure> {
    if let Ok(socket) = address.parse() {
        return Ok(vec![Candidate { address: address.to_owned(), socket }]); // no thread for a name server
    }
    let unknown = |why: String| Failure::service(ErrorCode::Unavailable, format!("{address}: {why}"));
    let found = timeout(RESOLVE_WAIT, tokio::net::lookup_host(address)).await;
    let found = found.map_err(|_| unknown("the name server does not answer".into()))?;
    let sockets = found.map_err(|error| unknown(format!("cannot find this host: {error}")))?;
    Ok(sockets.map(|socket| Candidate { address: address.to_owned(), socket }).collect())
}

/// Every address behind all of them, in their order. Fails only when there is none at all.
pub async fn resolve_all(addresses: Vec<String>) -> Result<Vec<Candidate>, Failure> {
    // At the same time: one name whose name server is silent must not hold up the others one by one.
    let mut lookups = JoinSet::new();
    for (at, address) in addresses.into_iter().enumerate() {
        lookups.spawn(async move { (at, resolve(&address).await) });
    }
    let mut found = lookups.join_all().await;
    found.sort_by_key(|(at, _)| *at);
    let mut candidates = Vec::new();
    let mut failed = None;
    for (_, found) in found {
        match found {
            Ok(mut found) => candidates.append(&mut found),
            Err(failure) => failed = Some(failure),
        }
    }
    match failed {
        Some(failure) if candidates.is_empty() => Err(failure),
        _ => Ok(candidates),
    }
}

/// Beginning with the one at `first`, else with a random one, so that not every client asks the same server first: of several
/// names, and of the several addresses of one name.
pub fn begun_at(mut candidates: Vec<Candidate>, first: Option<SocketAddr>) -> Vec<Candidate> {
    let random = || getrandom::u32().map_or(0, |random| random as usize % candidates.len().max(1));
    let known = first.and_then(|first| candidates.iter().position(|candidate| candidate.socket == first));
    let start = known.unwrap_or_else(random);
    candidates.rotate_left(start);
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// One name with two addresses, and another one.
    fn candidates() -> Vec<Candidate> {
        [("agents:8000", "10.0.0.1:8000"), ("agents:8000", "10.0.0.2:8000"), ("10.0.0.3:1", "10.0.0.3:1")]
            .map(|(address, socket)| Candidate { address: address.into(), socket: socket.parse().unwrap() })
            .into()
    }

    fn sockets(candidates: &[Candidate]) -> Vec<String> {
        candidates.iter().map(|candidate| candidate.socket.to_string()).collect()
    }

    #[test]
    fn the_address_that_worked_is_first_also_among_those_of_one_name() {
        let begun = begun_at(candidates(), Some("10.0.0.2:8000".parse().unwrap()));
        assert_eq!(sockets(&begun), ["10.0.0.2:8000", "10.0.0.3:1", "10.0.0.1:8000"]);
        assert_eq!(begun_at(Vec::new(), Some("10.0.0.2:8000".parse().unwrap())), []);
    }

    #[test]
    fn every_address_is_first_for_some_client_and_none_is_left_out() {
        let mut firsts = HashSet::new();
        for _ in 0..200 {
            let begun = begun_at(candidates(), Some("10.9.9.9:1".parse().unwrap()));
            firsts.insert(begun[0].socket);
            let mut all = sockets(&begun);
            all.sort();
            assert_eq!(all, ["10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:1"]);
        }
        assert_eq!(firsts.len(), 3);
    }

    #[tokio::test]
    async fn a_name_that_is_unknown_leaves_the_others() {
        let mixed = resolve_all(vec!["no such host.invalid:1".into(), "127.0.0.1:2".into()]).await.unwrap();
        assert_eq!(sockets(&mixed), ["127.0.0.1:2"]);
        let none = resolve_all(vec!["no such host.invalid:1".into()]).await.unwrap_err();
        assert!(none.message.contains("cannot find this host"), "{none}");
    }
}
