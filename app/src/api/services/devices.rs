//! Programs that wait to be let in, such as `tollgate login`: shown to whoever has signed in and decided by them.

use domain::audit::AuditAction;
use domain::user_code::UserCode;
use domain::wire::DeviceRow;
use jiff::Timestamp;
use store::{Approver, DeviceDecision, DeviceLogin};

use super::{Services, internal};
use crate::api::ApiError;

impl Services {
    /// The program that waits under a code.
    pub(in crate::api) async fn device(&self, user_code: &str) -> Result<DeviceRow, ApiError> {
        self.session()?;
        let code = code(user_code)?;
        let waiting = self.fleet.store().device_login(&code, Timestamp::now()).await.map_err(internal)?;
        waiting.map(row).ok_or_else(nobody_waits)
    }

    /// Lets the program in, to act for the caller with all that they may do, or refuses it.
    pub(in crate::api) async fn decide_device(&self, user_code: &str, approve: bool) -> Result<(), ApiError> {
        let own = self.session()?;
        let code = code(user_code)?;
        let decision = if approve {
            DeviceDecision::Approved(Approver {
                issuer: own.issuer.clone(),
                subject: own.subject.clone(),
                name: self.caller()?.actor.clone(),
                groups: own.groups.clone(),
            })
        } else {
            DeviceDecision::Refused
        };
        let decided = self.fleet.store().decide_device_login(&code, &decision, Timestamp::now()).await;
        let decided = decided.map_err(internal)?.ok_or_else(nobody_waits)?;
        let action = if approve { AuditAction::DeviceApproved } else { AuditAction::DeviceRefused };
        self.note(action, format!("{} at {}", decided.client, decided.address)).await
    }
}

fn code(text: &str) -> Result<String, ApiError> {
    let code = UserCode::parse(text).ok_or_else(|| ApiError::BadRequest {
        message: "The code has eight letters, such as BCDF-GHJK. Compare it with what the program shows."
            .into(),
    })?;
    Ok(code.to_string())
}

/// The same for a code that never was, has expired and was decided: whoever guesses learns nothing.
fn nobody_waits() -> ApiError {
    ApiError::NotFound {
        message: "No program waits under this code any more. Run `tollgate login` again for a new one."
            .into(),
    }
}

fn row(login: DeviceLogin) -> DeviceRow {
    DeviceRow {
        client: login.client,
        address: login.address,
        created_at: login.created_at,
        expires_at: login.expires_at,
    }
}
