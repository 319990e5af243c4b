//! What left the machine and what it cost, as a person asks for it, and the switch that keeps a
//! conversation here.

use jiff::tz::TimeZone;
use jiff::{ToSpan, civil::Date};
use protocol::{AppError, Conversation, ConversationId, DaySpend, LedgerPage, Spend, Spending};

use crate::{Change, Engine, clock};

/// The longest time that is looked back on: as long as entries are kept.
const MAX_DAYS: u32 = 400;

/// The most lines of a list of sums.
const LINES: usize = 100;

impl Engine {
    /// A page of the calls of the last days, today among them (1 to 400), the last entered first;
    /// `before` is the end of the page before it. In a damaged database, what can be read.
    ///
    /// # Errors
    /// The store's.
    pub async fn ledger(
        &self,
        days: u32,
        before: Option<i64>,
        limit: u32,
    ) -> Result<LedgerPage, AppError> {
        let first = first_of(days, today());
        let since = clock::began(first, &TimeZone::system());
        Ok(self.readable()?.ledger(since, before, limit).await?)
    }

    /// What the last days came to, today among them: 1 to 400.
    ///
    /// # Errors
    /// The store's.
    pub async fn spending(&self, days: u32) -> Result<Spending, AppError> {
        let reader = self.readable()?;
        let zone = TimeZone::system();
        let first = first_of(days, today());
        // One more than there are days: the last ends where tomorrow begins.
        let dates: Vec<Date> = first.series(1.day()).take(count(days) + 1).collect();
        let begins: Vec<i64> = dates.iter().map(|day| clock::began(*day, &zone)).collect();
        let since = begins.first().copied().unwrap_or(0);
        let until = begins.last().copied().unwrap_or(i64::MAX);
        let mut by_day = reader.spend_between(&begins).await?;
        by_day.reverse();
        let names = dates.iter().rev().skip(1);
        let days = by_day
            .iter()
            .zip(names)
            .filter(|(spend, _)| spend.calls > 0);
        let mut models = reader.spend_by_model(since).await?;
        models.truncate(LINES);
        let mut conversations = reader.spend_by_conversation(since).await?;
        conversations.truncate(LINES);
        Ok(Spending {
            total: reader.spend(since, until).await?,
            today: by_day.first().cloned().unwrap_or_default(),
            days: days
                .map(|(spend, day)| DaySpend {
                    day: day.to_string(),
                    spend: spend.clone(),
                })
                .collect(),
            providers: reader.spend_by_provider(since).await?,
            models,
            conversations,
        })
    }

    /// What a conversation came to, from its beginning.
    ///
    /// # Errors
    /// The store's.
    pub async fn conversation_spend(&self, id: ConversationId) -> Result<Spend, AppError> {
        Ok(self.readable()?.conversation_spend(id).await?)
    }

    /// Says whether nothing of a conversation may leave this machine. Gives it back as it is now.
    ///
    /// # Errors
    /// `NotFound`; the store's.
    pub async fn set_local_only(
        &self,
        id: ConversationId,
        on: bool,
    ) -> Result<Conversation, AppError> {
        let store = self.store()?;
        store.set_local_only(id, on).await?;
        self.announce(Change::Conversations);
        Ok(store.conversation(id).await?)
    }
}

fn today() -> Date {
    clock::day(clock::now_ms(), &TimeZone::system())
}

/// The first of that many days, of which `last` is the last.
fn first_of(days: u32, last: Date) -> Date {
    let back = i64::from(days.clamp(1, MAX_DAYS)) - 1;
    last.saturating_sub(back.days())
}

fn count(days: u32) -> usize {
    usize::try_from(days.clamp(1, MAX_DAYS)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::first_of;

    #[test]
    fn days_are_counted_with_today() {
        let today = date(2026, 3, 1);
        assert_eq!(first_of(1, today), today);
        assert_eq!(first_of(0, today), today);
        assert_eq!(first_of(2, today), date(2026, 2, 28));
        assert_eq!(first_of(u32::MAX, today), date(2025, 1, 26));
    }
}
