//! `pilotfish api keys`: which programs may use the API.

use std::process::ExitCode;

use engine::Engine;
use protocol::AppError;

use super::{ApiKeysCommand, output};

pub async fn run(engine: &Engine, command: Option<ApiKeysCommand>) -> Result<ExitCode, AppError> {
    match command.unwrap_or(ApiKeysCommand::List { json: false }) {
        ApiKeysCommand::Create { name } => {
            let key = engine.create_api_key(&name).await?;
            output::complain("copy the key now: it is not shown again");
            output::line(key.expose())?;
        }
        ApiKeysCommand::List { json } => {
            let keys = engine.api_keys().await?;
            if json {
                output::json(&keys)?;
            } else {
                for key in &keys {
                    output::line(&key.name)?;
                }
            }
        }
        ApiKeysCommand::Revoke { name } => engine.revoke_api_key(&name).await?,
    }
    Ok(ExitCode::SUCCESS)
}
