//! The notifiers that the settings name.

use std::sync::Arc;

use anyhow::Context as _;
use rossby_api::notify::{Console, Notifiers, Smtp, Webhook};
use rossby_commands::CodeSender;
use rossby_schemas::time::Clock;

use crate::config::{EmailVia, Settings, SmsVia};

pub(super) fn from_settings(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Notifiers> {
    let codes = &settings.codes;
    let email: Arc<dyn CodeSender> = match codes.email_via {
        EmailVia::Console => Arc::new(Console),
        EmailVia::Smtp => {
            let smtp = Smtp::new(&codes.smtp_url.0, &codes.smtp_from);
            Arc::new(smtp.context("the settings codes.smtp_url and codes.smtp_from can't be used")?)
        }
    };
    let sms: Arc<dyn CodeSender> = match codes.sms_via {
        SmsVia::Console => Arc::new(Console),
        SmsVia::Webhook => {
            let webhook = Webhook::new(&codes.webhook_url.0, &codes.webhook_secret.0, Arc::clone(clock));
            Arc::new(webhook.context("the setting codes.webhook_url can't be used")?)
        }
    };
    Ok(Notifiers { email, sms })
}
