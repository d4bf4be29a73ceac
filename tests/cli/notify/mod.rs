mod presets;
mod test;
