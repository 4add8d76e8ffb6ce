//! `openapi.yaml`, as what is answered is held against it.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

/// The document.
pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn read() -> Self {
        Self(serde_yaml::from_str(include_str!("../../openapi.yaml")).unwrap())
    }

    /// Every path with its method, as the document has them.
    pub(crate) fn operations(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        paths
            .flat_map(|(path, operations)| {
                let methods = operations.as_object().unwrap().keys();
                methods.map(|method| (method.to_uppercase(), path.clone()))
            })
            .collect()
    }

    /// The operation that answers such a request, and its path as the document has it.
    pub(crate) fn operation(&self, method: &Method, path: &str) -> (String, &Value) {
        let path = path.split('?').next().unwrap();
        let paths = self.0["paths"].as_object().unwrap().iter();
        // a path without parameters wins over one with
        let mut matching: Vec<_> = paths.filter(|(template, _)| fits(template, path)).collect();
        matching.sort_by_key(|(template, _)| template.contains('{'));
        let (template, operations) = matching.first().unwrap_or_else(|| panic!("no path for {path}"));
        let operation = &operations[method.as_str().to_lowercase()];
        assert!(operation.is_object(), "no {method} {template}");
        ((*template).clone(), operation)
    }

    /// What is wrong with an answer in JSON, as far as the document says.
    pub(crate) fn problems(
        &self,
        method: &Method,
        path: &str,
        status: StatusCode,
        body: &Value,
    ) -> Vec<String> {
        let (_, operation) = self.operation(method, path);
        let mut response = &operation["responses"][status.as_str()];
        if let Some(name) = response["$ref"].as_str() {
            response = &self.0["components"]["responses"][name.rsplit('/').next().unwrap()];
        }
        let schema = &response["content"]["application/json"]["schema"];
        if !schema.is_object() {
            return vec![format!("{status} is not described for {method} {path}")];
        }
        self.invalid(schema, body)
    }

    /// What is wrong with a value that has to be as a schema of the document says.
    pub(crate) fn invalid_as(&self, name: &str, value: &Value) -> Vec<String> {
        self.invalid(&json!({"$ref": format!("#/components/schemas/{name}")}), value)
    }

    fn invalid(&self, schema: &Value, value: &Value) -> Vec<String> {
        let schema = json!({"allOf": [schema], "components": self.0["components"]});
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors = validator.iter_errors(value);
        errors
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect()
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(name), Some(part)) if name.starts_with('{') || name == part => {}
            _ => return false,
        }
    }
}
