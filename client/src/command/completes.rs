//! A mark at an argument of the definition: which names complete it.

/// Which names an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completes {
    Areas,
    SubscribedAreas,
    /// `AREA#SEQ`, of one's own articles.
    OwnArticles,
    Articles,
    Users,
    Nodes,
    Settings,
    Contexts,
}

impl clap::builder::ArgExt for Completes {}
