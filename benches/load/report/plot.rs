//! The figures as pictures.

use std::path::Path;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::growth::{by_group, cost_of};
use crate::options::Engine;
use crate::results::{Database, Results};

const FONT: &str = "sans-serif";
const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(214, 39, 40),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(90, 90, 90),
];

/// A line with its name.
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub fn all(results: &Results, directory: &Path) -> anyhow::Result<()> {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let path = directory.join(format!("ratios-{}.svg", engine.name()));
        if let Some(largest) = largest(results, engine) {
            ratios(largest, &path).map_err(|error| anyhow!("{error}"))?;
        }
    }
    let by_directory = |engine| {
        let sizes: Vec<_> = results.databases.iter().filter(|of| of.engine == engine).collect();
        directory_series(&sizes)
    };
    let path = directory.join("directory-size.svg");
    growth("users", by_directory, &path).map_err(|error| anyhow!("{error}"))?;
    let by_group = |engine| largest(results, engine).map(group_series).unwrap_or_default();
    let path = directory.join("group-size.svg");
    growth("members of the group", by_group, &path).map_err(|error| anyhow!("{error}"))
}

fn largest(results: &Results, engine: Engine) -> Option<&Database> {
    results.databases.iter().rfind(|database| database.engine == engine)
}

/// How many times the sum of its parts each operation costs, and may cost.
fn ratios(database: &Database, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let lines: Vec<_> = database
        .operations
        .iter()
        .filter_map(|measured| Some((&measured.operation, measured.ratio()?.median)))
        .collect();
    let most = lines.iter().map(|(_, ratio)| *ratio).fold(2.0, f64::max) * 1.08;
    let height = u32::try_from(lines.len() * 26 + 110)?;
    let area = SVGBackend::new(path, (1_000, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let last = lines.len();
    let title = format!(
        "{}, {} users: server CPU / (constant answer + sqlx)",
        database.engine.title(),
        database.users
    );
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(370)
        .build_cartesian_2d(0.0..most, (0..last - 1).into_segmented())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(WHITE)
        .x_label_formatter(&|ratio| format!("{ratio:.1}"))
        .x_desc("ratio; the line is the target")
        .y_labels(last)
        .y_label_style((FONT, 13))
        .y_label_formatter(&|place| match place {
            SegmentValue::CenterOf(place) if *place < last => {
                lines[last - 1 - place].0.title.replace('`', "")
            }
            _ => String::new(),
        })
        .draw()?;
    let segment = SegmentValue::Exact;
    for (place, (operation, ratio)) in lines.iter().rev().enumerate() {
        let beyond = operation.target.is_some_and(|target| *ratio > target);
        let colour = match operation.target {
            Some(_) if beyond => COLOURS[3],
            Some(_) => COLOURS[2],
            None => COLOURS[0],
        };
        let corners = [(0.0, segment(place)), (*ratio, segment(place + 1))];
        let mut bar = Rectangle::new(corners, colour.mix(0.75).filled());
        bar.set_margin(4, 4, 0, 0);
        chart.draw_series([bar])?;
        let number =
            Text::new(format!(" {ratio:.2}"), (*ratio, SegmentValue::CenterOf(place)), (FONT, 12));
        chart.draw_series([number])?;
        if let Some(target) = operation.target {
            let line = vec![(target, segment(place)), (target, segment(place + 1))];
            chart.draw_series([PathElement::new(line, BLACK.stroke_width(2))])?;
        }
    }
    area.present()?;
    Ok(())
}

fn directory_series(sizes: &[&Database]) -> Vec<Series> {
    let shown = [
        "user-get",
        "user-by-name",
        "user-create",
        "user-patch",
        "page-first",
        "member-10",
        "rpc-get-connect-json-http1",
        "rpc-get-grpc",
    ];
    let series = shown.into_iter().map(|name| {
        let points =
            sizes.iter().filter_map(|size| Some((float(size.users), cost_of(size, name)?)));
        Series { name: name.to_owned(), points: points.collect() }
    });
    series.filter(|series| series.points.len() > 1).collect()
}

fn group_series(database: &Database) -> Vec<Series> {
    let series = by_group(database).into_iter().map(|(name, costs)| Series {
        name: name.to_owned(),
        points: costs.into_iter().map(|(size, cost)| (float(size), cost)).collect(),
    });
    series.collect()
}

#[expect(clippy::cast_precision_loss, reason = "a place on an axis")]
const fn float(number: u64) -> f64 {
    number as f64
}

/// Cost against size, both engines side by side, both axes logarithmic.
fn growth(
    of: &str,
    series: impl Fn(Engine) -> Vec<Series>,
    path: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(path, (1_000, 460)).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(500);
    for (engine, half) in [(Engine::Sqlite, left), (Engine::Postgres, right)] {
        let series = series(engine);
        if !series.is_empty() {
            panel(engine.title(), of, &series, &half)?;
        }
    }
    area.present()?;
    Ok(())
}

fn panel(
    title: &str,
    of: &str,
    series: &[Series],
    area: &Area<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || series.iter().flat_map(|series| &series.points);
    let sizes = points().map(|point| point.0);
    let (least, most) =
        sizes.fold((f64::MAX, 0.0_f64), |ends, size| (ends.0.min(size), ends.1.max(size)));
    let costs = points().map(|point| point.1);
    let (low, high) =
        costs.fold((f64::MAX, 0.0_f64), |ends, cost| (ends.0.min(cost), ends.1.max(cost)));
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(62)
        .build_cartesian_2d(
            (least * 0.9..most * 1.1).log_scale(),
            (low * 0.7..high * 12.0).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc(of)
        .y_desc("CPU of one request, µs")
        .x_label_formatter(&|size| format!("{size:.0}"))
        .y_label_formatter(&|cost| format!("{cost:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    for (series, colour) in series.iter().zip(COLOURS) {
        let line = LineSeries::new(series.points.iter().copied(), colour.stroke_width(2));
        chart
            .draw_series(line)?
            .label(&series.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        let dots = series.points.iter().map(|point| Circle::new(*point, 3, colour.filled()));
        chart.draw_series(dots)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 12))
        .draw()?;
    Ok(())
}
