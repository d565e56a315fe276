/** Says beside the headline whether the shop is open at this moment. */

const WEEKDAY = { opens: 9, closes: 18.5, opensWords: '9 am', closesWords: '6:30 pm' };
const SUNDAY = { opens: 12, closes: 16, opensWords: 'noon', closesWords: '4 pm' };

function hoursOf(day) {
  return day % 7 === 0 ? SUNDAY : WEEKDAY;
}

function openingWords(now) {
  const hour = now.getHours() + now.getMinutes() / 60;
  const today = hoursOf(now.getDay());
  if (hour < today.opens) return `Opens today at ${today.opensWords}`;
  if (hour < today.closes) return `Open now, until ${today.closesWords}`;
  return `Closed now, opens tomorrow at ${hoursOf(now.getDay() + 1).opensWords}`;
}

const words = openingWords(new Date());
const line = document.querySelector('#open-now');
line.textContent = words;
line.classList.toggle('is-open', words.startsWith('Open now'));
