//! `vigie demo`: a simulated platform, a webhook receiver and a daemon, each behind its own socket. The daemon is the
//! same binary under `run`, with a config written for the occasion; nothing is excused or tuned for the demo.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::event::Timestamp;
use crate::sim;

/// How long the daemon may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long it may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// What the demo is asked for.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    pub scenario: String,
    /// Port of the page; 0: any.
    pub port: u16,
    /// Simulated seconds in a second.
    pub speed: f64,
    /// Folder for state; none: a fresh one that is removed at the end.
    pub state: Option<PathBuf>,
    /// Ends by itself after so many seconds.
    pub seconds: Option<u64>,
}

/// Runs until Ctrl-C, or until the time asked for has passed.
pub async fn run(options: DemoOptions) -> Result<(), String> {
    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    let names = sim::Scenario::names().join(", ");
    let scenario = sim::Scenario::by_name(&options.scenario).ok_or_else(|| {
        format!("there is no scenario `{}`; there are: {names}", options.scenario)
    })?;
    let length = scenario.end().since(scenario.start());
    let scenario = scenario.starting(now.plus_ms(-length));
    let (state, temporary) = state_folder(options.state.as_deref())?;
    let stop = CancellationToken::new();

    let platform = listen(0).await?;
    let receiver = listen(0).await?;
    let secret = secret();
    let (told, mut alerts) = mpsc::channel(64);
    let platform_url = format!("ws://{}", address(&platform)?);
    let receiver =
        sim::Receiver::start(receiver, &secret, told, stop.clone()).map_err(|e| e.to_string())?;
    let page = page_address(options.port).await?;
    let config = state.join("demo.toml");
    write_config(&config, &page, &platform_url, &receiver.url())?;

    let channels = scenario.channels().len();
    let mut daemon = start_daemon(&config, &state, &secret)?;
    let serving = tokio::spawn(sim::serve(platform, scenario, options.speed, stop.clone()));
    if let Err(error) = wait_until_ready(&page, &mut daemon).await {
        // It has ended, or must: its log says why.
        let _ = daemon.kill();
        let log = std::fs::read_to_string(state.join("vigie.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(12).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        return Err(format!("{error}\n{}", tail.join("\n")));
    }
    say(&format!(
        "Vigie watches a simulated platform: {channels} channels, {} times as fast as life, {} minutes of it.\n\
         On one of them viewers pay for a man to be hurt. The pictures are drawn: they show motion and stillness only.\n\n\
         \x20 page      http://{page}\n\
         \x20 state     {}{}\n\
         \x20 log       {}\n\
         \x20 end it    Ctrl-C\n\n\
         Alerts arrive below, as a trust team's webhook receives them (signatures verified).\n",
        options.speed,
        length / 60_000,
        state.display(),
        if temporary { " (removed at the end)" } else { "" },
        state.join("vigie.log").display(),
    ));
    let words = sim::Words {
        colour: std::io::IsTerminal::is_terminal(&std::io::stdout()),
        vigie: format!("{} -c {}", own_name(), config.display()),
    };
    let until = options.seconds.map(|s| Instant::now() + Duration::from_secs(s));
    let mut beat = tokio::time::interval(Duration::from_millis(250));
    let mut signal = std::pin::pin!(super::daemon::wait_for_signal());
    let outcome = loop {
        tokio::select! {
            () = &mut signal => break Ok(()),
            Some(event) = alerts.recv() => say(&words.tell(&event)),
            _ = beat.tick() => {
                if let Ok(Some(status)) = daemon.try_wait() {
                    break Err(format!("the daemon ended ({status}); see {}", state.join("vigie.log").display()));
                }
                if until.is_some_and(|until| Instant::now() >= until) {
                    break Ok(());
                }
            }
        }
    };
    terminate(&mut daemon);
    stop.cancel();
    while let Ok(Some(event)) =
        tokio::time::timeout(Duration::from_millis(200), alerts.recv()).await
    {
        say(&words.tell(&event));
    }
    serving.abort();
    say(&format!(
        "\nEnded. {} messages were accepted, {} refused for a wrong signature.",
        receiver.accepted(),
        receiver.rejected()
    ));
    if temporary {
        // Nothing of it is wanted any more; what cannot be removed lies in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&state);
    }
    outcome
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe ends what is told, not the demo.
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

fn own_name() -> String {
    std::env::current_exe().map_or_else(|_| "vigie".into(), |path| path.display().to_string())
}

fn state_folder(asked: Option<&Path>) -> Result<(PathBuf, bool), String> {
    let (path, temporary) = match asked {
        Some(path) => (path.to_owned(), false),
        None => (std::env::temp_dir().join(format!("vigie-demo-{}", std::process::id())), true),
    };
    std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let path = path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))?;
    Ok((path, temporary))
}

async fn listen(port: u16) -> Result<TcpListener, String> {
    TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|e| format!("listening on port {port}: {e}"))
}

fn address(listener: &TcpListener) -> Result<String, String> {
    listener.local_addr().map(|a| a.to_string()).map_err(|e| e.to_string())
}

/// A free address for the page; the daemon binds it a moment later.
async fn page_address(port: u16) -> Result<String, String> {
    let listener = listen(port).await.map_err(|e| format!("{e}; choose another with --port"))?;
    address(&listener)
}

/// A secret for this run alone.
fn secret() -> String {
    use base64::Engine;
    let mut bytes = [0u8; 24];
    rand::fill(&mut bytes);
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn write_config(path: &Path, page: &str, platform: &str, receiver: &str) -> Result<(), String> {
    let text = format!(
        "# Written by `vigie demo`. Everything that is not here has its default.\n\
         [provider]\nname = \"Demo Streaming SAS\"\naddress = \"1 rue de l'Exemple, 75000 Paris\"\nestablishment = \"FR\"\n\
         contact_point = \"dsa@example.org\"\nsize = \"small\"\nrole = \"provider\"\n\n\
         [server]\nlisten = \"{page}\"\nmetrics_listen = \"\"\npublic_url = \"http://{page}\"\n\n\
         [store]\ndir = \".\"\n\n\
         [[feed]]\nname = \"platform\"\ntype = \"websocket\"\nurl = \"{platform}\"\nclock = \"data\"\n\n\
         [[sink]]\nname = \"trust-team\"\ntype = \"webhook\"\nurl = \"{receiver}\"\nsecret = {{ credential = \"demo-webhook\" }}\n\n\
         [[sink]]\nname = \"file\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\nremind = \"0s\"\nheartbeat = \"0s\"\n"
    );
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

fn start_daemon(config: &Path, state: &Path, secret: &str) -> Result<Child, String> {
    let binary = std::env::current_exe().map_err(|e| e.to_string())?;
    let log = std::fs::File::create(state.join("vigie.log")).map_err(|e| e.to_string())?;
    Command::new(binary)
        .args(["run", "-c"])
        .arg(config)
        .env("VIGIE_CREDENTIAL_DEMO_WEBHOOK", secret)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|e| format!("the daemon cannot be started: {e}"))
}

async fn wait_until_ready(page: &str, daemon: &mut Child) -> Result<(), String> {
    let url = format!("http://{page}/readyz");
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .build()
        .map_err(|e| e.to_string())?;
    let until = Instant::now() + READY_WITHIN;
    while Instant::now() < until {
        if let Ok(Some(status)) = daemon.try_wait() {
            return Err(format!("the daemon ended at once ({status}):"));
        }
        if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(format!("the daemon was not ready within {} s:", READY_WITHIN.as_secs()))
}

/// Asks the daemon to end and waits for it.
fn terminate(daemon: &mut Child) {
    // Ctrl-C reached it too, if there was one; a second signal does no harm.
    let _ = Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status();
    let until = Instant::now() + STOP_WITHIN;
    while Instant::now() < until {
        if let Ok(Some(_)) = daemon.try_wait() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = daemon.kill();
    let _ = daemon.wait();
}
