//! The body of a notification: its fields as JSON or as a form.
//!
//! Not here: which fields there are (`action::notify`).

use crate::error::{Context, Result};
use serde::{Deserialize, Serialize, Serializer};
use url::form_urlencoded;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BodyForm {
    /// One JSON object.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`, as browsers send it (WHATWG URL section 5.2).
    Form,
}

impl BodyForm {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            BodyForm::Json => "application/json",
            BodyForm::Form => "application/x-www-form-urlencoded",
        }
    }

    /// The fields in their order. Of a repeated name, JSON keeps the last value and a form all.
    pub(crate) fn write(self, fields: &[(&str, &str)]) -> Result<Vec<u8>> {
        match self {
            BodyForm::Json => {
                let is_last = |(at, (name, _)): &(usize, &(&str, &str))| {
                    !fields[at + 1..].iter().any(|(later, _)| later == name)
                };
                let fields =
                    fields.iter().enumerate().filter(is_last).map(|(_, (name, value))| (name, value));
                let mut json = Vec::new();
                serde_json::Serializer::new(&mut json).collect_map(fields).context("JSON")?;
                Ok(json)
            }
            BodyForm::Form => {
                let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                Ok(form.into_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_in_their_order() {
        let fields = [("type", "bounce"), ("address", "joe+\"x\"&=é\u{2028}\r\n@example.org"), ("a b", "~*")];
        let text = |form: BodyForm| String::from_utf8(form.write(&fields).unwrap()).unwrap();
        assert_eq!(
            text(BodyForm::Json),
            "{\"type\":\"bounce\",\"address\":\"joe+\\\"x\\\"&=é\u{2028}\\r\\n@example.org\",\"a b\":\"~*\"}"
        );
        assert_eq!(
            text(BodyForm::Form),
            "type=bounce&address=joe%2B%22x%22%26%3D%C3%A9%E2%80%A8%0D%0A%40example.org&a+b=%7E*"
        );
        let twice = [("a", "1"), ("b", "2"), ("a", "3")];
        assert_eq!(BodyForm::Json.write(&twice).unwrap(), br#"{"b":"2","a":"3"}"#);
        assert_eq!(BodyForm::Form.write(&twice).unwrap(), b"a=1&b=2&a=3");
        assert_eq!(
            (BodyForm::Json.write(&[]).unwrap(), BodyForm::Form.write(&[]).unwrap()),
            (b"{}".to_vec(), vec![])
        );
        assert_eq!(BodyForm::Form.content_type(), "application/x-www-form-urlencoded");
    }
}
