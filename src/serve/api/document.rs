//! `/api/v1/openapi.json`: the API as a document of OpenAPI 3.1.
//!
//! Invariant: every route is in it, with its parameters, and nothing else.

use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;

pub(super) const ROUTES: &[HttpRoute] =
    &[HttpRoute::new("/api/v1/openapi.json", Need::Nothing, &[], document)];

pub(in crate::serve) const DOCUMENT: &str = include_str!("../openapi.json");

fn document(_asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    Ok(HttpAnswer::of("application/json", DOCUMENT))
}

#[cfg(test)]
mod tests {
    use super::super::super::compat;
    use super::super::ROUTES;
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// Each as method, path and parameters of the query.
    type Routes = BTreeSet<(String, String, BTreeSet<String>)>;

    fn documented() -> Routes {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut found = Routes::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let of_query = parameters.filter(|one| one["in"] == "query");
                let names = of_query.map(|one| one["name"].as_str().unwrap().to_owned()).collect();
                found.insert((method.clone(), path.clone(), names));
            }
        }
        found
    }

    #[test]
    fn every_route_is_documented_and_nothing_else() {
        let routes = ROUTES.iter().chain(compat::ROUTES).copied().flatten();
        let row = |route: &HttpRoute| {
            let method = if route.acts() { "post" } else { "get" };
            let names = route.parameters().into_iter().map(str::to_owned).collect();
            (method.to_owned(), route.path.to_owned(), names)
        };
        assert_eq!(routes.map(row).collect::<Routes>(), documented());
    }
}
