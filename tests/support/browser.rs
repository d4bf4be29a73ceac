//! A browser as a person has it in front of them: Chromium without a window, led through WebDriver.

use std::{io::Write as _, path::PathBuf};

use serde_json::{Value, json};
use thirtyfour::{
    ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver, prelude::*,
};

use super::{World, command, eventually, program, service::Service};

/// One window.
pub struct Browser {
    runtime: tokio::runtime::Runtime,
    driver: Option<WebDriver>,
    _service: Service,
}

impl Browser {
    /// Opens a window. None where this system has no browser as a package, which is said; with `ACRT_TEST_BROWSER` there must be one.
    pub fn open(world: &World) -> Option<Self> {
        let is_there = ["chromium", "chromedriver"]
            .iter()
            .all(|name| PathBuf::from("/usr/bin").join(name).is_file());
        #[expect(
            clippy::disallowed_methods,
            reason = "a setting of the tests, not of acrt"
        )]
        let may_skip = std::env::var_os("ACRT_TEST_BROWSER").is_none();
        if !is_there && may_skip {
            // Past the test's own capture of what it prints: a test that does nothing must not look like one that passed.
            let line = b"skipped: no chromium and chromedriver here; see tests/packages.sh\n";
            std::io::stderr().write_all(line).unwrap();
            return None;
        }
        let (out, err) = (
            world.path("out/chromedriver"),
            world.path("out/chromedriver-err"),
        );
        let mut line = command(program("chromedriver"));
        // Chromium keeps its profile, its caches and its sockets below these.
        line.arg("--port=0")
            .env("HOME", world.path("home"))
            .env("TMPDIR", world.path("tmp"))
            .env("XDG_CONFIG_HOME", world.path("config"));
        let service = Service::start(&line, &out, &err);
        let port = eventually("chromedriver", || {
            let said = std::fs::read_to_string(&out).unwrap_or_default();
            let (_, rest) = said.split_once("started successfully on port ")?;
            let (port, _) = rest.split_once('.')?;
            port.parse::<u16>().ok()
        });
        // reqwest wants one, though no TLS is spoken with a driver on this machine; another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let driver = runtime.block_on(async {
            let mut wanted = DesiredCapabilities::chrome();
            // As root it has no sandbox of its own, and a container's /dev/shm is too small for it.
            for arg in [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
            ] {
                wanted.add_arg(arg).unwrap();
            }
            wanted
                .set_browser_log_level(LoggingPrefsLogLevel::All)
                .unwrap();
            WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await
        });
        let browser = Self {
            runtime,
            driver: Some(driver.unwrap()),
            _service: service,
        };
        browser.resize(1280, 800);
        Some(browser)
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().unwrap()
    }

    /// Goes to an address and waits until all of it is there.
    pub fn visit(&self, url: &str) {
        self.runtime.block_on(self.driver().goto(url)).unwrap();
    }

    /// Runs a script in the page and returns what it returns.
    pub fn script(&self, script: &str) -> Value {
        let run = async {
            let answer = self.driver().execute(script, Vec::new()).await?;
            Ok::<_, WebDriverError>(answer.json().clone())
        };
        self.runtime.block_on(run).unwrap()
    }

    /// Does something with the first element that a CSS selector finds. A page that gets live may replace it at that moment: once more.
    fn with<T>(&self, selector: &str, act: impl AsyncFn(WebElement) -> WebDriverResult<T>) -> T {
        eventually(&format!("`{selector}` in the page"), || {
            let find = async { act(self.driver().find(By::Css(selector)).await?).await };
            self.runtime.block_on(find).ok()
        })
    }

    /// Returns the text of the first element that a CSS selector finds, as a person sees it.
    pub fn text(&self, selector: &str) -> String {
        self.with(selector, async |element| element.text().await)
    }

    /// Waits until the text of an element has this in it, without loading the page anew.
    pub fn shows(&self, selector: &str, text: &str) {
        let find = format!(
            "return [...document.querySelectorAll({})].map(it => it.innerText ?? it.textContent).join('\\n')",
            json!(selector)
        );
        let wanted = format!("`{text}` in `{selector}`");
        eventually(&wanted, || {
            let seen = self.script(&find);
            seen.as_str()?.contains(text).then_some(())
        });
    }

    /// Clicks on the first element that a CSS selector finds.
    pub fn click(&self, selector: &str) {
        self.with(selector, async |element| element.click().await);
    }

    /// Types into the first element that a CSS selector finds.
    pub fn type_into(&self, selector: &str, text: &str) {
        self.with(selector, async |field| {
            field.clear().await?;
            field.send_keys(text).await
        });
    }

    /// Presses the key that goes on to the next thing that can be used, and returns a word for it: its text or label.
    pub fn tab(&self) -> String {
        self.press(Key::Tab);
        let word = self.script(
            "const it = document.activeElement;\
             return it === document.body ? '' : (it.getAttribute('aria-label') || it.innerText || it.name || it.tagName).trim()",
        );
        word.as_str().unwrap_or_default().to_owned()
    }

    /// Presses a key.
    pub fn press(&self, key: Key) {
        let press = async { self.driver().action_chain().send_keys(key).perform().await };
        self.runtime.block_on(press).unwrap();
    }

    /// Returns the address that is shown.
    pub fn url(&self) -> String {
        let url = self.runtime.block_on(self.driver().current_url()).unwrap();
        url.to_string()
    }

    /// Makes the window so large, in pixels.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// Has what a person prefers: `prefers-color-scheme`, `prefers-reduced-motion`.
    pub fn prefer(&self, features: &[(&str, &str)]) {
        let features = features.iter();
        let features = features.map(|(name, value)| json!({"name": name, "value": value}));
        let media = json!({"features": features.collect::<Vec<_>>()});
        self.devtools("Emulation.setEmulatedMedia", media);
    }

    /// Runs no script of a page from now on.
    pub fn without_scripts(&self) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": true}),
        );
    }

    fn devtools(&self, method: &str, params: Value) {
        let ask = async { self.driver().cdp().send_raw(method, params).await };
        self.runtime.block_on(ask).unwrap();
    }

    /// Returns what the browser complained of since it was last asked.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.runtime.block_on(self.driver().browser_log()).unwrap();
        let bad = log
            .into_iter()
            .filter(|it| it.level != "INFO" && it.level != "DEBUG");
        bad.map(|it| format!("{}: {}", it.level, it.message))
            .collect()
    }

    /// Keeps a picture of what is seen, as `target/screenshots/NAME.png`.
    pub fn keep_picture(&self, name: &str) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        self.runtime
            .block_on(self.driver().screenshot(&path))
            .unwrap();
        path
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            // Chromium ends with its driver in any case; told so, it takes its profile with it.
            let _ = self.runtime.block_on(driver.quit());
        }
    }
}
