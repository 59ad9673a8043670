//! Metrics as text in the form that all of Prometheus's tools read.
//!
//! The library writes OpenMetrics 1.0, which names a counter without its `_total` where it describes it. Prometheus's
//! text format 0.0.4 does not know that; the samples are alike in both.

/// Rewrites OpenMetrics 1.0, as the library writes it (`# HELP`, then `# TYPE`, then the samples), as 0.0.4.
pub(super) fn prometheus(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len() + 1024);
    let mut help = None;
    for line in openmetrics.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            help = said.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let total = if kind == "counter" { "_total" } else { "" };
            if let Some((_, said)) = help.take() {
                text += &format!("# HELP {name}{total} {said}\n");
            }
            text += &format!("# TYPE {name}{total} {kind}\n");
        } else if !line.starts_with('#') {
            text += line;
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_their_samples_are() {
        let open = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{c=\"d\"} 1\n# HELP g Now.\n# TYPE g gauge\n\
                    # UNIT g x\ng 2\n# EOF\n";
        let plain = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{c=\"d\"} 1\n# HELP g Now.\n\
                     # TYPE g gauge\ng 2\n";
        assert_eq!(prometheus(open), plain);
    }
}
