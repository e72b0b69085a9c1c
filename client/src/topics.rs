//! Help that belongs to no command: `gaceta help exit-codes`, `gaceta help environment`, and the same in the man page.

pub const EXIT_CODES: &str = "\
Exit codes:
  0    done; also when there is nothing to read
  1    an error: a text that cannot be posted, a file, the terminal
  2    the command line does not make sense
  3    there is no such area, article, user, session or context
  4    not logged in, or a wrong name or password
  5    not allowed: no subscription, somebody else's article, no administrator
  6    the service cannot be reached or is busy: a repeat is safe, posts wait in the outbox
  7    a conflict: a name that is taken, the same id with another text
  130  interrupted by Ctrl-C (SIGINT)
  143  ended by SIGTERM, or its terminal was closed

With --json the reason is one line on standard error: {\"error\": {\"code\", \"message\"}}. Its code is one of invalid, \
too_large, local (a file, the terminal) [1], usage [2], not_found [3], unauthenticated [4], denied [5], unavailable, busy, \
draining [6], conflict [7], interrupted [130, 143].";

pub const ENVIRONMENT: &str = "\
Environment (an option goes before its variable, a variable before the config):
  GACETA_AGENTS    where the service is, like --agents: HOST:PORT,…
  GACETA_CONTEXT   which session, like --context
  GACETA_CONFIG    the file with the contexts [default: $XDG_CONFIG_HOME/gaceta/config.toml]
  GACETA_TOKEN     a session's token, instead of the context's
  GACETA_EDITOR    the editor of `post`; else VISUAL, EDITOR, vi, nano
  GACETA_PAGER     the pager of long texts; else PAGER, else one of our own; cat: none
  NO_COLOR         no colours, whatever it is set to
  TERM             dumb: no colours, no editor or pager of ours
  XDG_STATE_HOME   sessions, outbox, drafts and history are in gaceta/ below it [default: ~/.local/state]
  XDG_CONFIG_HOME  the config is in gaceta/ below it [default: ~/.config]

`follow --exec` gives its program GACETA_AREA, GACETA_SEQ, GACETA_ID, GACETA_AUTHOR and GACETA_POSTED_AT, as they were written; for \
an article that was deleted GACETA_AREA, GACETA_SEQ and GACETA_DELETED=1. Besides, it has the environment of gaceta, GACETA_TOKEN \
included: it may call gaceta itself.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    #[test]
    fn every_exit_code_has_its_line() {
        let codes = [
            exit::OK,
            exit::ERROR,
            exit::USAGE,
            exit::NOT_FOUND,
            exit::UNAUTHENTICATED,
            exit::DENIED,
            exit::UNAVAILABLE,
            exit::CONFLICT,
            130,
            143,
        ];
        for code in codes {
            assert!(EXIT_CODES.lines().any(|line| line.starts_with(&format!("  {code:<5}"))), "{code}");
        }
    }
}
