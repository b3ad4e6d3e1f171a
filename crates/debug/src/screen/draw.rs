//! Puts a view on the screen.

use ratatui::Frame as Screen;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use weir_guest::debug::{Frame, Type, Value, Why};

use super::keys::HELP;
use super::view::{MEMORY_COLUMNS, View};
use crate::listing::indented;
use crate::play::Ended;
use crate::session::Now;
use crate::trace::{reason, typed};

const CURRENT: Style = Style::new().add_modifier(Modifier::REVERSED);
const CHANGED: Style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
const TITLE: Style = Style::new().add_modifier(Modifier::BOLD);
const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
const TROUBLE: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// Draws everything.
pub fn draw(screen: &mut Screen<'_>, view: &mut View<'_>) {
    let rows = [
        Constraint::Length(1),
        Constraint::Min(8),
        Constraint::Length(1),
    ];
    let [top, middle, bottom] = Layout::vertical(rows).areas(screen.area());
    screen.render_widget(headline(view), top);
    let columns = [Constraint::Max(79), Constraint::Min(41)];
    let [left, right] = Layout::horizontal(columns).areas(middle);
    let rows = [
        Constraint::Min(6),
        Constraint::Length(8),
        Constraint::Length(6),
    ];
    let [code, memory, host] = Layout::vertical(rows).areas(left);
    draw_code(screen, code, view);
    draw_memory(screen, memory, view);
    draw_host(screen, host, view);
    draw_machine(screen, right, view);
    screen.render_widget(status(view), bottom);
    if view.shows_help {
        draw_help(screen);
    }
}

fn pane(title: String) -> Block<'static> {
    Block::bordered().title(Span::styled(title, TITLE))
}

fn headline(view: &mut View<'_>) -> Line<'static> {
    let mut parts = vec![Span::styled(format!("weir debug {} ", view.title), TITLE)];
    let stop = view.stop.clone();
    match view.session.now() {
        Now::Running => parts.push(Span::raw("runs …")),
        Now::Ended(ended, instructions) => parts.push(ending(ended, *instructions)),
        Now::Stopped(stop) => {
            parts.push(Span::raw(format!("at instruction {}", stop.number)));
            if let Some(told) = reason(&stop.why) {
                let whose = if matches!(stop.why, Why::Trap(_)) {
                    "trap"
                } else {
                    "host"
                };
                parts.push(Span::styled(format!("  {whose}: {told}"), TROUBLE));
            }
        }
    }
    let place = stop.and_then(|stop| Some(stop.frames.get(view.frame)?.place));
    if let Some(source) = place.and_then(|place| view.symbols.source(place)) {
        parts.push(Span::raw(format!("  {source}")));
    }
    Line::from(parts)
}

fn ending(ended: &Ended, instructions: u64) -> Span<'static> {
    let text = crate::trace::text_of_end(ended, instructions);
    let style = if matches!(ended, Ended::Returned(_)) {
        Style::new()
    } else {
        TROUBLE
    };
    Span::styled(text.trim_end().to_owned(), style)
}

fn status(view: &View<'_>) -> Line<'static> {
    if let Some((prompt, text)) = &view.prompt {
        return Line::from(format!("{}: {text}█", prompt.question()));
    }
    if !view.message.is_empty() {
        return Line::from(view.message.clone());
    }
    let keys = "s step  n next  o out  b back  c continue  t break  f function  w watch  / search  ? keys  q quit";
    Line::styled(keys, FAINT)
}

fn draw_code(screen: &mut Screen<'_>, area: Rect, view: &mut View<'_>) {
    let Some((place, listing)) = view.listing() else {
        screen.render_widget(pane("code".to_owned()), area);
        return;
    };
    let name = view.symbols.function_name(place.function);
    let height = usize::from(area.height.saturating_sub(2));
    let first = view.line.saturating_sub(height / 2);
    let first = first.min(listing.instructions.len().saturating_sub(height));
    let shown = listing
        .instructions
        .iter()
        .enumerate()
        .skip(first)
        .take(height);
    let lines = shown.map(|(at, instruction)| {
        let is_current = instruction.offset == place.offset;
        let mark = match (
            view.session.breaks.at.contains(&instruction.offset),
            is_current,
        ) {
            (true, true) => "●▶",
            (true, false) => "● ",
            (false, true) => " ▶",
            (false, false) => "  ",
        };
        let text = indented(&listing, instruction);
        let style = match (at == view.line, is_current) {
            (true, _) => CURRENT,
            (false, true) => TITLE,
            (false, false) => Style::new(),
        };
        Line::from(vec![
            Span::raw(mark),
            Span::styled(format!("{:#07x} ", instruction.offset), FAINT),
            Span::styled(text, style),
        ])
    });
    let title = format!("code: {name}");
    screen.render_widget(
        Paragraph::new(lines.collect::<Vec<_>>()).block(pane(title)),
        area,
    );
}

/// Operands, locals, globals, blocks and calls.
fn draw_machine(screen: &mut Screen<'_>, area: Rect, view: &mut View<'_>) {
    let Some(stop) = view.stop.clone() else {
        screen.render_widget(pane("machine".to_owned()), area);
        return;
    };
    let Some(frame) = stop.frames.get(view.frame) else {
        return;
    };
    let found = view.symbols.instruction(frame.place);
    let locals = found
        .as_ref()
        .map(|(listing, _)| listing.locals.clone())
        .unwrap_or_default();
    let open = found
        .map(|(listing, at)| blocks(&listing, at))
        .unwrap_or_default();
    let rows = [
        Constraint::Fill(3),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Fill(2),
    ];
    let [operands, places, globals, controls, calls] = Layout::vertical(rows).areas(area);
    put(
        screen,
        operands,
        "operand stack, top first",
        operand_lines(frame),
    );
    put(screen, places, "locals", local_lines(frame, &locals));
    let names = stop.globals.iter().zip(0..).map(|(value, index)| {
        let name = view.symbols.code.global_name(index).unwrap_or_default();
        Line::from(format!("{index:>3} {name:<16} {}", typed(value)))
    });
    put(screen, globals, "globals", names.collect());
    put(screen, controls, "open blocks", open);
    let each = stop.frames.iter().enumerate().map(|(number, call)| {
        let name = view.symbols.function_name(call.place.function);
        let source = view.symbols.source(call.place).unwrap_or_default();
        let text = format!("{number:>3} {name} {:#x} {source}", call.place.offset);
        if number == view.frame {
            Line::styled(text, CURRENT)
        } else {
            Line::from(text)
        }
    });
    put(
        screen,
        calls,
        &format!("calls ({})", stop.depth),
        each.collect(),
    );
}

fn put(screen: &mut Screen<'_>, area: Rect, title: &str, lines: Vec<Line<'static>>) {
    screen.render_widget(Paragraph::new(lines).block(pane(title.to_owned())), area);
}

fn operand_lines(frame: &Frame) -> Vec<Line<'static>> {
    let operands = frame.stack.iter().enumerate().rev();
    operands
        .map(|(place, value)| Line::from(numbered(place, "", value)))
        .collect()
}

fn local_lines(frame: &Frame, known: &[(Type, Option<String>)]) -> Vec<Line<'static>> {
    let locals = frame.locals.iter().enumerate();
    locals
        .map(|(place, value)| {
            let name = known.get(place).and_then(|(_, name)| name.as_deref());
            Line::from(numbered(place, name.unwrap_or_default(), value))
        })
        .collect()
}

fn numbered(place: usize, name: &str, value: &Value) -> String {
    let hex = match value {
        Value::I32(number) if !(0..10).contains(number) => format!("  {number:#x}"),
        Value::I64(number) if !(0..10).contains(number) => format!("  {number:#x}"),
        Value::I32(_)
        | Value::I64(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::V128(_)
        | Value::Ref { .. } => String::new(),
    };
    let name = if name.is_empty() {
        String::new()
    } else {
        format!("{name:<16} ")
    };
    format!("{place:>3} {name}{}{hex}", typed(value))
}

fn blocks(listing: &weir_guest::debug::Listing, at: usize) -> Vec<Line<'static>> {
    let Some(instruction) = listing.instructions.get(at) else {
        return Vec::new();
    };
    let open = listing.open_at(instruction);
    let labels = open.iter().rev().enumerate();
    labels
        .map(|(label, control)| {
            Line::from(format!(
                "{label:>3} {:<5} {:#07x} height {} arity {}",
                control.block.name(),
                control.offset,
                control.height,
                control.arity
            ))
        })
        .collect()
}

fn draw_memory(screen: &mut Screen<'_>, area: Rect, view: &View<'_>) {
    let rows = u64::from(area.height.saturating_sub(2));
    let range = view.address..view.address.saturating_add(rows * MEMORY_COLUMNS);
    let bytes = view.session.memory(0, range);
    let changes = view.stop.as_ref().map(|stop| &stop.changes);
    let is_changed = |address: u64| {
        changes.is_some_and(|changes| {
            changes.list.iter().any(|change| {
                change.memory == 0
                    && (change.address..change.address + change.length as u64).contains(&address)
            })
        })
    };
    let columns = usize::try_from(MEMORY_COLUMNS).unwrap_or(1);
    let lines = bytes.chunks(columns).zip(0_u64..).map(|(row, number)| {
        let base = view.address + number * MEMORY_COLUMNS;
        let style = |at: usize| {
            if is_changed(base + at as u64) {
                CHANGED
            } else {
                Style::new()
            }
        };
        let mut parts = vec![Span::styled(format!("{base:#08x} "), FAINT)];
        let hex = row.iter().enumerate();
        parts.extend(hex.map(|(at, byte)| Span::styled(format!(" {byte:02x}"), style(at))));
        parts.push(Span::raw("  "));
        let text = row.iter().enumerate();
        parts.extend(text.map(|(at, byte)| {
            let letter = if byte.is_ascii_graphic() || *byte == b' ' {
                char::from(*byte)
            } else {
                '.'
            };
            Span::styled(letter.to_string(), style(at))
        }));
        Line::from(parts)
    });
    let size = view
        .stop
        .as_ref()
        .and_then(|stop| stop.memories.first().copied());
    let title = size.map_or("no memory".to_owned(), |size| {
        let changed = changes.map_or(0, |changes| changes.list.len() + changes.more);
        format!("memory: {size} bytes, {changed} places changed since the last stop")
    });
    let lines: Vec<_> = lines.collect();
    screen.render_widget(Paragraph::new(lines).block(pane(title)), area);
}

fn draw_host(screen: &mut Screen<'_>, area: Rect, view: &View<'_>) {
    let calls = view.session.host_calls();
    let fresh = view.stop.as_ref().map_or(0, |stop| stop.host_calls_before);
    let each = calls.iter().enumerate().flat_map(|(number, call)| {
        let style = if number >= fresh {
            CHANGED
        } else {
            Style::new()
        };
        let first = Line::styled(format!("{number:>3} {}", call.function), style);
        let asked = call
            .asked
            .iter()
            .map(|asked| Line::styled(format!("      {asked}"), FAINT));
        std::iter::once(first).chain(asked).collect::<Vec<_>>()
    });
    let lines: Vec<_> = each.collect();
    let height = usize::from(area.height.saturating_sub(2));
    let last = lines.len().saturating_sub(height);
    let title = format!("calls of the host ({})", calls.len());
    screen.render_widget(
        Paragraph::new(lines[last..].to_vec()).block(pane(title)),
        area,
    );
}

fn draw_help(screen: &mut Screen<'_>) {
    let all = screen.area();
    let height = u16::try_from(HELP.len() + 2)
        .unwrap_or(all.height)
        .min(all.height);
    let width = 80.min(all.width);
    let area = Rect::new(
        (all.width - width) / 2,
        (all.height - height) / 2,
        width,
        height,
    );
    let lines = HELP
        .iter()
        .map(|(key, what)| Line::from(format!(" {key:<15} {what}")));
    screen.render_widget(Clear, area);
    put(screen, area, "keys", lines.collect());
}
