'use strict';
// Updates an open page. Without it, the page stays as it was loaded.
(() => {
  const ages = new Intl.RelativeTimeFormat('en', {numeric: 'auto'});
  const units = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
  const times = () => {
    for (const time of document.querySelectorAll('time')) {
      time.title ||= time.textContent;
      const seconds = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000);
      const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) || units[3];
      const text = ages.format(Math.trunc(seconds / size), unit);
      if (time.textContent !== text) time.textContent = text;
    }
  };
  const place = (element) => element && (element.id ? '#' + CSS.escape(element.id)
    : element.getAttribute('href') && `a[href="${CSS.escape(element.getAttribute('href'))}"]`);
  let seen = null;
  const refresh = async () => {
    const answer = await fetch(location.href, {cache: 'no-cache'}).catch(() => null);
    if (!answer || answer.status === 401 || answer.headers.get('etag') === seen) return;
    seen = answer.headers.get('etag');
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
    document.title = fresh.title;
    for (const old of document.querySelectorAll('[data-live]')) {
      const next = fresh.getElementById(old.id);
      if (!next) continue;
      const focus = old.contains(document.activeElement) && place(document.activeElement);
      old.replaceWith(next);
      if (focus) next.querySelector(focus)?.focus({preventScroll: true});
    }
    times();
  };
  // Several changes in a short time are one update, and open pages do not all reload at the same moment.
  let waits = false;
  const changed = () => {
    if (waits) return;
    waits = true;
    setTimeout(() => { waits = false; refresh(); }, 100 + Math.random() * 400);
  };
  times();
  setInterval(times, 10000);
  const login = document.querySelector('form.login');
  if (login) {
    // With SameSite=Strict the cookie is not sent when a link on another site leads here, but it is sent from here.
    fetch(location.href, {cache: 'no-cache'}).then((answer) => answer.ok && location.replace(location.href), () => {});
    return;
  }
  const log = document.querySelector('[data-run]');
  let events = null;
  const listen = () => {
    if (events || document.hidden) return;
    events = new EventSource(log ? `/events?run=${log.dataset.run}&after=${log.dataset.after}` : '/events');
    events.addEventListener('open', changed);
    events.addEventListener('change', changed);
    events.addEventListener('log', (event) => {
      const follows = innerHeight + scrollY >= document.body.scrollHeight - 40;
      log.insertAdjacentHTML('beforeend', event.data);
      log.dataset.after = event.lastEventId;
      while (log.children.length > 5000) log.firstElementChild.remove();
      if (follows) scrollTo(0, document.body.scrollHeight);
    });
    // It may have been refused, because too many pages are open.
    events.addEventListener('error', () => {
      if (events.readyState === EventSource.CLOSED) { events = null; setTimeout(() => { refresh(); listen(); }, 15000); }
    });
  };
  // A hidden page keeps no connection open.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) { events?.close(); events = null; } else listen();
  });
  listen();
})();
