//! The pages of `docs/` against what there is: the tests they name, the lines they explain, the screens they show.

mod errors_page;
mod logs_page;
mod paths;
mod programs;
mod tours;
