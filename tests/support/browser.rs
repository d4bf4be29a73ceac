//! A browser: Chromium without a window, controlled through WebDriver (W3C, level 2).
//!
//! The protocol is JSON over HTTP, and few of its commands are needed. The crates for it enable features of `serde_json`, so that the
//! tests would no longer test the program that users have.

use std::{io::Write as _, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{World, command, eventually, program, service::Service};

/// WebDriver's key for the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// WebDriver's code of the Tab key.
const TAB: &str = "\u{e004}";

/// One window.
pub struct Browser {
    agent: ureq::Agent,
    session: String,
    _service: Service,
}

impl Browser {
    /// Opens a window. `None` if this system has no packaged browser, which is reported; with `ACRT_TEST_BROWSER` that is a failure.
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
            // Bypasses the test's output capture: a skipped test must not look like a passed one.
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
        // The port that it chooses may be in use for the other version of IP: then it exits.
        let (service, port) = (0..5)
            .find_map(|_| {
                let service = Service::start(&line, &out, &err);
                let port = eventually("chromedriver", || {
                    let said = std::fs::read_to_string(&out).unwrap_or_default();
                    if said.contains("Exiting") {
                        return Some(None);
                    }
                    let (_, rest) = said.split_once("started successfully on port ")?;
                    let (port, _) = rest.split_once('.')?;
                    port.parse::<u16>().ok().map(Some)
                });
                Some((service, port?))
            })
            .expect("a port for chromedriver");
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let mut browser = Self {
            agent: config.build().into(),
            session: format!("http://127.0.0.1:{port}/session"),
            _service: service,
        };
        // Chromium as root has no sandbox, and a container's /dev/shm is too small for it.
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = browser.ask("", &wanted);
        let id = session["sessionId"].as_str().unwrap();
        browser.session = format!("{}/{id}", browser.session);
        browser.resize(1280, 800);
        Some(browser)
    }

    /// Sends a command of the session, and returns its result or its error.
    fn attempt(&self, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let answer = if body.is_null() {
            self.agent.get(&url).call()
        } else {
            self.agent.post(&url).send(body.to_string())
        };
        let mut answer = answer.unwrap();
        let is_good = answer.status().is_success();
        // A screenshot is larger than the default limit.
        let text = answer.body_mut().with_config().limit(64 << 20);
        let mut said: Value = serde_json::from_str(&text.read_to_string().unwrap()).unwrap();
        let value = said["value"].take();
        if is_good {
            Ok(value)
        } else {
            Err(value["message"].to_string())
        }
    }

    fn ask(&self, path: &str, body: &Value) -> Value {
        let answer = self.attempt(path, body);
        answer.unwrap_or_else(|why| panic!("the browser refuses {path} {body}: {why}"))
    }

    /// Opens an address and waits until the page is loaded.
    pub fn visit(&self, url: &str) {
        self.ask("/url", &json!({"url": url}));
    }

    /// Runs a script in the page and returns its result.
    pub fn script(&self, script: &str) -> Value {
        self.ask("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Sends a command for the first element that matches a CSS selector. A live page may replace the element at that moment: then it
    /// is repeated.
    fn with(&self, selector: &str, command: &str, body: &Value) -> Value {
        eventually(format!("`{selector}` in the page"), || {
            let find = json!({"using": "css selector", "value": selector});
            let found = self.attempt("/element", &find).ok()?;
            let path = format!("/element/{}/{command}", found[ELEMENT].as_str()?);
            self.attempt(&path, body).ok()
        })
    }

    /// Returns the visible text of the first element that matches a CSS selector.
    pub fn text(&self, selector: &str) -> String {
        let text = self.with(selector, "text", &Value::Null);
        text.as_str().unwrap().to_owned()
    }

    /// Waits until the text of an element contains this, without reloading the page.
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

    /// Clicks the first element that matches a CSS selector.
    pub fn click(&self, selector: &str) {
        self.with(selector, "click", &json!({}));
    }

    /// Types into the first element that matches a CSS selector, and presses Enter.
    pub fn enter(&self, selector: &str, text: &str) {
        self.with(selector, "value", &json!({"text": format!("{text}\n")}));
    }

    /// Presses the Tab key, and returns the text or label of the element that gets the focus.
    pub fn tab(&self) -> String {
        self.press(TAB);
        let word = self.script(
            "const it = document.activeElement;\
             return it === document.body ? '' : (it.getAttribute('aria-label') || it.innerText || it.name || it.tagName).trim()",
        );
        word.as_str().unwrap_or_default().to_owned()
    }

    /// Presses Enter.
    pub fn press_enter(&self) {
        self.press("\u{e007}");
    }

    fn press(&self, key: &str) {
        let press = ["keyDown", "keyUp"].map(|what| json!({"type": what, "value": key}));
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": press});
        self.ask("/actions", &json!({"actions": [keyboard]}));
    }

    /// Returns the address of the page.
    pub fn url(&self) -> String {
        let url = self.ask("/url", &Value::Null);
        url.as_str().unwrap().to_owned()
    }

    /// Sets the size of the window, in pixels.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Sets a media feature: `prefers-color-scheme`, `prefers-reduced-motion`.
    pub fn prefer(&self, feature: &str, value: &str) {
        let media = json!({"features": [{"name": feature, "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", &media);
    }

    /// Disables scripts from now on.
    pub fn without_scripts(&self) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            &json!({"value": true}),
        );
    }

    fn devtools(&self, command: &str, params: &Value) {
        let ask = json!({"cmd": command, "params": params});
        self.ask("/goog/cdp/execute", &ask);
    }

    /// Returns the browser's console errors since the last call.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.ask("/se/log", &json!({"type": "browser"}));
        let all = log.as_array().unwrap().iter();
        let bad = all.filter(|it| it["level"] != "INFO" && it["level"] != "DEBUG");
        bad.map(|it| it["message"].to_string()).collect()
    }

    /// Saves a screenshot, as `target/screenshots/NAME.png`.
    pub fn keep_picture(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let picture = self.ask("/screenshot", &Value::Null);
        let picture = STANDARD.decode(picture.as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its driver anyway; if told to end, it removes its profile.
        let _ = self.agent.delete(&self.session).call();
    }
}
