//! People who write to the bot in private and hold no right: each is put before the owners once, and only so many a day.

use crate::chat::Person;
use crate::small::SmallMap;
use crate::state::{Pending, Records};
use crate::time::Wall;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// People that owners are asked about in a day.
const MAX_A_DAY: usize = 10;
/// A question that was never answered is asked again after this time.
const FORGOTTEN: Duration = Duration::from_secs(30 * 86_400);
/// People that are remembered; the oldest question is forgotten first.
const MAX_KNOWN: usize = 500;

/// Those who were asked about.
#[derive(Debug, Default)]
pub struct Strangers {
    known: SmallMap<Person, Stranger>,
    told_of_more: Option<Wall>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Stranger {
    asked: Wall,
    ignored: bool,
}

/// What the owners are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knock {
    /// Who it is, and whether to let them in.
    Ask,
    /// That there are more than anybody wants to be asked about.
    TooMany,
    /// Nothing.
    Silence,
}

impl Strangers {
    pub(super) fn restore(&mut self, records: &Records) {
        let all = records.all::<Stranger>("stranger").into_iter();
        self.known = all
            .filter_map(|(user, stranger)| Some((Person::read(&user).ok()?, stranger)))
            .collect();
    }

    /// Somebody without any right wrote in private.
    pub fn knock(&mut self, now: Wall, user: &Person, state: &mut Pending) -> Knock {
        if let Some(stranger) = self.known.get(user) {
            if stranger.ignored || now.since(stranger.asked) < FORGOTTEN {
                return Knock::Silence;
            }
        }
        let is_of_today = |at: Wall| now.since(at) < DAY;
        let today = self.known.values();
        if today.filter(|stranger| is_of_today(stranger.asked)).count() >= MAX_A_DAY {
            if self.told_of_more.is_some_and(is_of_today) {
                return Knock::Silence;
            }
            self.told_of_more = Some(now);
            return Knock::TooMany;
        }
        self.note(user, now, false, state);
        Knock::Ask
    }

    /// Nobody wants to be asked about this one any longer.
    pub fn ignore(&mut self, now: Wall, user: &Person, state: &mut Pending) {
        self.note(user, now, true, state);
    }

    /// True when the owners were asked about this one, who is no stranger any longer.
    pub fn forget(&mut self, user: &Person, state: &mut Pending) -> bool {
        let was_known = self.known.remove(user).is_some();
        if was_known {
            state.delete("stranger", &user.short());
        }
        was_known
    }

    fn note(&mut self, user: &Person, asked: Wall, ignored: bool, state: &mut Pending) {
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(user) {
            let oldest = self
                .known
                .iter()
                .min_by_key(|(_, known)| (known.ignored, known.asked));
            if let Some(oldest) = oldest.map(|(user, _)| user.clone()) {
                self.forget(&oldest, state);
            }
        }
        let stranger = Stranger { asked, ignored };
        state.put_durable("stranger", &user.short(), &stranger);
        self.known.insert(user.clone(), stranger);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::telegram;

    #[test]
    fn each_is_asked_about_once_and_only_so_many_a_day() {
        let (mut strangers, mut state) = (Strangers::default(), Pending::new(0));
        let user = |id: i64| telegram::user(id + 1);
        let hour = |hours: i64| Wall(hours * 3_600_000);
        for id in 0..10 {
            assert_eq!(strangers.knock(hour(0), &user(id), &mut state), Knock::Ask);
        }
        for (rule, at, id, want) in [
            ("asked_already", 1, 3, Knock::Silence),
            ("too_many_is_told_once", 1, 10, Knock::TooMany),
            ("and_not_again", 2, 11, Knock::Silence),
            ("the_next_day_there_is_room", 25, 11, Knock::Ask),
            (
                "a_forgotten_question_is_asked_again",
                24 * 31,
                3,
                Knock::Ask,
            ),
        ] {
            assert_eq!(
                strangers.knock(hour(at), &user(id), &mut state),
                want,
                "{rule}"
            );
        }
        strangers.ignore(hour(0), &user(5), &mut state);
        assert_eq!(
            strangers.knock(hour(24 * 90), &user(5), &mut state),
            Knock::Silence
        );
        let mut records = Records::default();
        records.apply(&state.take().expect("changes"));
        let mut again = Strangers::default();
        again.restore(&records);
        assert_eq!(
            again.knock(hour(24 * 90), &user(5), &mut state),
            Knock::Silence
        );
        assert!(again.forget(&user(5), &mut state) && !again.forget(&user(5), &mut state));
        for id in 0..2000 {
            again.ignore(hour(id), &user(id), &mut state);
        }
        assert_eq!(again.known.len(), MAX_KNOWN);
    }
}
