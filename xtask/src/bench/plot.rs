//! The results as a picture: documents per second as bars, and the curve over the size of the index as a line.
//!
//! Two simple charts are less SVG than code that calls a library for them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::statistics::median;
use super::{PAGE_OF_STREAMS, Reading, Report, table};

const WIDTH: f64 = 760.0;
/// Where bars begin, right of their names.
const LEFT: f64 = 150.0;
const BAR_WIDTH: f64 = 480.0;
const LINE_HEIGHT: f64 = 18.0;
const CURVE_HEIGHT: f64 = 160.0;
/// Colours that can be told apart on white and on dark grey.
const BAR_COLOUR: &str = "#8aa4c8";
const SERVICE_COLOUR: &str = "#2f6fdb";

/// Draws everything that was measured with one client, and the curve.
pub(super) fn draw(report: &Report, path: &Path) -> anyhow::Result<()> {
    let mut svg = Svg::default();
    for reading in report
        .raw_data
        .iter()
        .filter(|reading| reading.clients == 1)
    {
        bars(&mut svg, reading);
    }
    if !report.curve.is_empty() {
        curve(&mut svg, &report.curve);
    }
    fs::write(path, svg.finish()).with_context(|| format!("can't write {}", path.display()))
}

#[derive(Default)]
struct Svg {
    elements: String,
    y: f64,
}

impl Svg {
    fn text(&mut self, x: f64, y: f64, attributes: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        // Writing to a string can't fail, here and below.
        let _ = writeln!(
            self.elements,
            r##"<text x="{x:.0}" y="{y:.0}" fill="#555" {attributes}>{text}</text>"##
        );
    }

    fn heading(&mut self, text: &str) {
        self.y += 1.8 * LINE_HEIGHT;
        self.text(10.0, self.y, r#"font-weight="bold""#, text);
        self.y += 0.5 * LINE_HEIGHT;
    }

    fn finish(self) -> String {
        let height = self.y + LINE_HEIGHT;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
            self.elements
        )
    }
}

fn bars(svg: &mut Svg, reading: &Reading) {
    svg.heading(&format!(
        "{} {} in pages of {}: records per second",
        reading.instances, reading.subject, reading.page
    ));
    let rates: Vec<f64> = reading
        .results
        .iter()
        .map(|results| median(results.rounds.iter().map(|round| round.rate())).unwrap_or_default())
        .collect();
    let largest = rates.iter().copied().fold(1.0, f64::max);
    for (results, rate) in reading.results.iter().zip(rates) {
        let (y, width) = (svg.y, rate / largest * BAR_WIDTH);
        let colour = if results.is_service {
            SERVICE_COLOUR
        } else {
            BAR_COLOUR
        };
        let _ = writeln!(
            svg.elements,
            r#"<rect x="{LEFT}" y="{y:.0}" width="{width:.1}" height="{:.0}" fill="{colour}"/>"#,
            LINE_HEIGHT - 4.0
        );
        let baseline = y + LINE_HEIGHT - 7.0;
        svg.text(
            LEFT - 8.0,
            baseline,
            r#"text-anchor="end""#,
            &results.contestant,
        );
        let ratio = table::ratio(&reading.results, results).unwrap_or_default();
        svg.text(
            LEFT + width + 6.0,
            baseline,
            "",
            &format!("{rate:.0} ({ratio:.2})"),
        );
        svg.y += LINE_HEIGHT;
    }
}

/// The ratio to the bare scroll over the number of instances, which has a logarithmic axis.
fn curve(svg: &mut Svg, readings: &[Reading]) {
    svg.heading("Ratio to the bare scroll of the same index, over the number of instances");
    let points: Vec<(u64, f64)> = readings
        .iter()
        .filter(|reading| reading.page == PAGE_OF_STREAMS)
        .filter_map(|reading| {
            let service = reading.results.iter().find(|results| results.is_service)?;
            Some((reading.instances, table::ratio(&reading.results, service)?))
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "for a picture")]
    let logarithm = |instances: u64| (instances.max(1) as f64).ln();
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return;
    };
    let range = (logarithm(last.0) - logarithm(first.0)).max(f64::EPSILON);
    let bottom = svg.y + LINE_HEIGHT + CURVE_HEIGHT;
    let x_of = |instances| LEFT + (logarithm(instances) - logarithm(first.0)) / range * BAR_WIDTH;
    let y_of = |ratio: f64| bottom - ratio.clamp(0.0, 1.2) / 1.2 * CURVE_HEIGHT;
    for ratio in [0.0, 0.5, 1.0] {
        let y = y_of(ratio);
        let _ = writeln!(
            svg.elements,
            r##"<path d="M{LEFT} {y:.1}h{BAR_WIDTH}" stroke="#ccc"/>"##
        );
        svg.text(
            LEFT - 8.0,
            y + 4.0,
            r#"text-anchor="end""#,
            &format!("{ratio:.1}"),
        );
    }
    let line: Vec<String> = points
        .iter()
        .map(|(instances, ratio)| format!("{:.1},{:.1}", x_of(*instances), y_of(*ratio)))
        .collect();
    let _ = writeln!(
        svg.elements,
        r#"<polyline points="{}" fill="none" stroke="{SERVICE_COLOUR}" stroke-width="2"/>"#,
        line.join(" ")
    );
    for (instances, ratio) in &points {
        let (x, y) = (x_of(*instances), y_of(*ratio));
        let _ = writeln!(
            svg.elements,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{SERVICE_COLOUR}"/>"#
        );
        svg.text(
            x,
            y - 8.0,
            r#"text-anchor="middle""#,
            &format!("{ratio:.2}"),
        );
        let label = format!("{instances}");
        svg.text(x, bottom + LINE_HEIGHT, r#"text-anchor="middle""#, &label);
    }
    svg.y = bottom + 1.5 * LINE_HEIGHT;
}
