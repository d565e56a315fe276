/** Says beside the headline whether the shop is open at this moment. */

const HOURS = new Map([
  [1, [9, 18]],
  [2, [9, 18]],
  [3, [9, 18]],
  [4, [9, 18]],
  [5, [9, 18]],
  [6, [10, 16]],
]);
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

function openingWords(now) {
  const hour = now.getHours();
  const today = HOURS.get(now.getDay());
  if (today && hour >= today[0] && hour < today[1]) return [`Open now, until ${today[1]}:00`, true];
  if (today && hour < today[0]) return [`Opens today at ${today[0]}:00`, false];
  for (let ahead = 1; ahead <= 7; ahead += 1) {
    const day = (now.getDay() + ahead) % 7;
    const hours = HOURS.get(day);
    if (hours) return [`Closed now, opens ${ahead === 1 ? 'tomorrow' : DAYS[day]} at ${hours[0]}:00`, false];
  }
  return ['', false];
}

const [words, isOpen] = openingWords(new Date());
const line = document.querySelector('#open-now');
line.textContent = words;
line.classList.toggle('is-open', isOpen);
