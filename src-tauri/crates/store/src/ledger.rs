//! The ledger: every outbound call after its end, and sums over it. An entry outlives the
//! conversation that it was for, and holds nothing of what was said there.

use protocol::{
    CallOutcome, ConversationId, ConversationSpend, Cost, ErrorCode, LedgerEntry, LedgerPage,
    MessageId, ModelSpend, ProviderId, ProviderSpend, Purpose, RunsAt, Spend, Usage,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use crate::error::StoreError;
use crate::rows::{self, json, value, word};
use crate::store::{Reader, Store};

/// How long an entry is kept, in milliseconds: 400 days, a year and some.
pub const LEDGER_KEPT_MS: i64 = 400 * 24 * 60 * 60 * 1000;
/// The most entries of a page, and the most lines of a list of sums.
pub const MAX_ENTRIES: u32 = 1000;
/// The longest host or model of an entry, in characters.
const MAX_NAME_CHARS: usize = 512;

/// What several entries come to. A call whose tokens are known and whose cost is not has no price.
const SUMS: &str = "total(l.cost_usd) AS usd, coalesce(max(l.cost_estimated), 0) AS estimated,
    count(*) FILTER (WHERE l.ended <> 'refused') AS calls,
    count(*) FILTER (WHERE l.usage_estimated IS NOT NULL AND l.cost_usd IS NULL) AS unpriced_calls,
    coalesce(sum(l.input_tokens), 0) AS input_tokens,
    coalesce(sum(l.output_tokens), 0) AS output_tokens,
    coalesce(sum(l.bytes_sent), 0) AS bytes_sent,
    coalesce(sum(l.bytes_received), 0) AS bytes_received";

impl Reader {
    /// Up to `limit` entries (1,000 at most) of calls that began at `since` or later, the last
    /// entered first; from `before` on, when that is the end of a page.
    pub async fn ledger(
        &self,
        since: i64,
        before: Option<i64>,
        limit: u32,
    ) -> Result<LedgerPage, StoreError> {
        let limit = limit.clamp(1, MAX_ENTRIES);
        let rows =
            sqlx::query("SELECT * FROM ledger WHERE at >= ? AND key < ? ORDER BY key DESC LIMIT ?")
                .bind(since)
                .bind(before.unwrap_or(i64::MAX))
                .bind(limit)
                .fetch_all(self.pool())
                .await?;
        let is_full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
        let next = match rows.last() {
            Some(last) if is_full => Some(last.try_get("key")?),
            _ => None,
        };
        let entries = rows.iter().map(entry).collect::<Result<_, _>>()?;
        Ok(LedgerPage { entries, next })
    }

    /// The sum over the calls that began at `since` or later and before `until`.
    pub async fn spend(&self, since: i64, until: i64) -> Result<Spend, StoreError> {
        let statement = format!("SELECT {SUMS} FROM ledger l WHERE l.at >= ? AND l.at < ?");
        let row = sqlx::query(AssertSqlSafe(statement))
            .bind(since)
            .bind(until)
            .fetch_one(self.pool())
            .await?;
        Ok(spend(&row)?)
    }

    /// The sums between each of these times, in order, and the next.
    pub async fn spend_between(&self, times: &[i64]) -> Result<Vec<Spend>, StoreError> {
        let spans: Vec<(i64, i64)> = times
            .windows(2)
            .filter_map(|pair| Some((*pair.first()?, *pair.last()?)))
            .collect();
        let statement = format!(
            "SELECT {SUMS} FROM json_each(?) d
             LEFT JOIN ledger l ON l.at >= d.value ->> 0 AND l.at < d.value ->> 1
             GROUP BY d.key ORDER BY d.key"
        );
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(json(&spans)?)
            .fetch_all(self.pool())
            .await?;
        Ok(rows.iter().map(spend).collect::<Result<_, _>>()?)
    }

    /// US dollars, as far as they are known, that calls came to since then: all, or those of one
    /// provider.
    pub async fn spent_since(
        &self,
        since: i64,
        provider: Option<&ProviderId>,
    ) -> Result<f64, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT total(cost_usd) FROM ledger
             WHERE at >= ?1 AND (?2 IS NULL OR provider = ?2)",
        )
        .bind(since)
        .bind(provider.map(ProviderId::as_str))
        .fetch_one(self.pool())
        .await?)
    }

    /// The sums since then by provider, the dearest first. Downloads are of none.
    pub async fn spend_by_provider(&self, since: i64) -> Result<Vec<ProviderSpend>, StoreError> {
        let rows = self
            .grouped("l.provider", "l.provider IS NOT NULL", since)
            .await?;
        let mut lines = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Ok(provider) = row.try_get::<String, _>("name")?.parse() {
                let spend = spend(row)?;
                lines.push(ProviderSpend { provider, spend });
            }
        }
        Ok(lines)
    }

    /// The sums since then by model that was asked, the dearest first.
    pub async fn spend_by_model(&self, since: i64) -> Result<Vec<ModelSpend>, StoreError> {
        let is_asked = "l.provider IS NOT NULL AND l.model IS NOT NULL";
        let rows = self
            .grouped("l.provider || '/' || l.model", is_asked, since)
            .await?;
        let mut lines = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Ok(model) = row.try_get::<String, _>("name")?.parse() {
                let spend = spend(row)?;
                lines.push(ModelSpend { model, spend });
            }
        }
        Ok(lines)
    }

    /// The sums since then by conversation, the dearest first.
    pub async fn spend_by_conversation(
        &self,
        since: i64,
    ) -> Result<Vec<ConversationSpend>, StoreError> {
        let statement = format!(
            "SELECT l.conversation AS id, c.title, {SUMS} FROM ledger l
             LEFT JOIN conversations c ON c.id = l.conversation
             WHERE l.at >= ? AND l.conversation IS NOT NULL
             GROUP BY l.conversation ORDER BY usd DESC, calls DESC LIMIT {MAX_ENTRIES}"
        );
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(since)
            .fetch_all(self.pool())
            .await?;
        let line = |row: &SqliteRow| {
            Ok(ConversationSpend {
                conversation_id: ConversationId::from_uuid(row.try_get::<Uuid, _>("id")?),
                title: row
                    .try_get::<Option<String>, _>("title")?
                    .unwrap_or_default(),
                spend: spend(row)?,
            })
        };
        Ok(rows.iter().map(line).collect::<Result<_, sqlx::Error>>()?)
    }

    /// The sum over all calls for a conversation.
    pub async fn conversation_spend(&self, id: ConversationId) -> Result<Spend, StoreError> {
        let statement = format!("SELECT {SUMS} FROM ledger l WHERE l.conversation = ?");
        let row = sqlx::query(AssertSqlSafe(statement))
            .bind(*id.as_uuid())
            .fetch_one(self.pool())
            .await?;
        Ok(spend(&row)?)
    }

    async fn grouped(
        &self,
        name: &str,
        condition: &str,
        since: i64,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let statement = format!(
            "SELECT {name} AS name, {SUMS} FROM ledger l WHERE l.at >= ? AND {condition}
             GROUP BY 1 ORDER BY usd DESC, calls DESC LIMIT {MAX_ENTRIES}"
        );
        Ok(sqlx::query(AssertSqlSafe(statement))
            .bind(since)
            .fetch_all(self.pool())
            .await?)
    }
}

impl Store {
    /// Enters a call.
    pub async fn enter(&self, entry: &LedgerEntry) -> Result<(), StoreError> {
        let usage = entry.usage.as_ref();
        let tokens = |pick: fn(&Usage) -> Option<u64>| usage.and_then(pick).map(as_i64);
        let cost = entry.cost.as_ref();
        let short = |text: &str| text.chars().take(MAX_NAME_CHARS).collect::<String>();
        self.write(
            sqlx::query(
                "INSERT INTO ledger (at, duration_ms, host, runs_at, purpose, provider, model,
                     conversation, message, input_tokens, cached_tokens, cache_write_tokens,
                     output_tokens, thinking_tokens, reported_cost_usd, usage_estimated,
                     bytes_sent, bytes_received, cost_usd, cost_estimated, price_as_of,
                     outcome, ended)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(entry.at)
            .bind(as_i64(entry.duration_ms))
            .bind(short(&entry.host))
            .bind(json(&entry.runs_at)?)
            .bind(word(&entry.purpose)?)
            .bind(entry.provider.as_ref().map(ProviderId::to_string))
            .bind(entry.model.as_deref().map(short))
            .bind(entry.conversation_id.map(|id| *id.as_uuid()))
            .bind(entry.message_id.map(|id| *id.as_uuid()))
            .bind(tokens(|usage| usage.input_tokens))
            .bind(tokens(|usage| usage.cached_tokens))
            .bind(tokens(|usage| usage.cache_write_tokens))
            .bind(tokens(|usage| usage.output_tokens))
            .bind(tokens(|usage| usage.thinking_tokens))
            .bind(usage.and_then(|usage| usage.reported_cost_usd))
            .bind(usage.map(|usage| usage.estimated))
            .bind(as_i64(entry.bytes_sent))
            .bind(as_i64(entry.bytes_received))
            .bind(cost.map(|cost| cost.usd))
            .bind(cost.map(|cost| cost.estimated))
            .bind(cost.and_then(|cost| cost.as_of.clone()))
            .bind(json(&entry.outcome)?)
            .bind(ended(&entry.outcome)),
        )
        .await
        .map(drop)
    }

    /// Deletes the entries of calls that began before `at`, and tells how many those were.
    pub async fn forget_calls_before(&self, at: i64) -> Result<u64, StoreError> {
        self.write(sqlx::query("DELETE FROM ledger WHERE at < ?").bind(at))
            .await
    }
}

const fn ended(outcome: &CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Ok => "ok",
        CallOutcome::Failed { .. } => "failed",
        CallOutcome::Cancelled => "cancelled",
        CallOutcome::Refused { .. } => "refused",
    }
}

fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(row: &SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    let number: i64 = row.try_get(column)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

fn spend(row: &SqliteRow) -> Result<Spend, sqlx::Error> {
    Ok(Spend {
        usd: row.try_get("usd")?,
        estimated: row.try_get("estimated")?,
        calls: number(row, "calls")?,
        unpriced_calls: number(row, "unpriced_calls")?,
        input_tokens: number(row, "input_tokens")?,
        output_tokens: number(row, "output_tokens")?,
        bytes_sent: number(row, "bytes_sent")?,
        bytes_received: number(row, "bytes_received")?,
    })
}

fn entry(row: &SqliteRow) -> Result<LedgerEntry, sqlx::Error> {
    let host: String = row.try_get("host")?;
    let usd: Option<f64> = row.try_get("cost_usd")?;
    let estimated: Option<bool> = row.try_get("cost_estimated")?;
    let as_of: Option<String> = row.try_get("price_as_of")?;
    let outcome: String = row.try_get("outcome")?;
    let runs_at: String = row.try_get("runs_at")?;
    let conversation: Option<Uuid> = row.try_get("conversation")?;
    let message: Option<Uuid> = row.try_get("message")?;
    Ok(LedgerEntry {
        at: row.try_get("at")?,
        duration_ms: number(row, "duration_ms")?,
        // Of a place that this version does not know, the worst is to be thought.
        runs_at: serde_json::from_str(&runs_at)
            .unwrap_or_else(|_| RunsAt::Host { host: host.clone() }),
        host,
        purpose: value(row.try_get("purpose")?).unwrap_or(Purpose::Answer),
        provider: row
            .try_get::<Option<String>, _>("provider")?
            .and_then(|name| name.parse().ok()),
        model: row.try_get("model")?,
        conversation_id: conversation.map(ConversationId::from_uuid),
        message_id: message.map(MessageId::from_uuid),
        usage: rows::usage(row)?,
        bytes_sent: number(row, "bytes_sent")?,
        bytes_received: number(row, "bytes_received")?,
        cost: usd.map(|usd| Cost {
            usd,
            estimated: estimated.unwrap_or(true),
            as_of,
        }),
        outcome: serde_json::from_str(&outcome).unwrap_or(CallOutcome::Failed {
            code: ErrorCode::Unknown,
        }),
    })
}
